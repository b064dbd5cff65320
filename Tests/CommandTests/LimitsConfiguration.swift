import CarillonRules
import CarillonWorker
import Foundation
import Testing

@testable import carillon

// What the admin says about limits and prices.
extension ConfigurationSuite {
    @Test("how many targets a rule may have is said for all workspaces and for single ones, whatever their names")
    func targetLimits() throws {
        /// The numbers alone, without the channels.
        func numbers(_ configuration: Configuration) -> RuleLimits {
            RuleLimits(
                targetsPerRule: configuration.ruleLimits.targetsPerRule,
                perWorkspace: configuration.ruleLimits.perWorkspace)
        }
        #expect(try numbers(load()) == .init(targetsPerRule: 5))
        let yaml =
            "limits: {default: {targets_per_rule: 7}, workspaces: {vision: {targets_per_rule: 20}, a.b: {targets_per_rule: 9}}}"
        #expect(try numbers(load(yaml)) == .init(targetsPerRule: 7, perWorkspace: ["vision": 20, "a.b": 9]))
        let flags = [(key: "limits.workspaces.vision.targets_per_rule", value: "30")]
        let environment = ["CARILLON_LIMITS_DEFAULT_TARGETS_PER_RULE": "8"]
        let loaded = try load(yaml, environment: environment, flags: flags)
        #expect(numbers(loaded) == .init(targetsPerRule: 8, perWorkspace: ["vision": 30, "a.b": 9]))
        #expect(
            loaded.values.differences(from: try load().values) == [
                "limits.default.targets_per_rule", "limits.workspaces.a.b.targets_per_rule",
                "limits.workspaces.vision.targets_per_rule",
            ])
    }

    @Test(
        "a budget of money has prices by how numbers begin, the longest beginning first; a price configures no channel")
    func money() throws {
        let yaml = """
            channels: {sms: {price: {"+": 0.05, "+86": 0.012, "+8613": 1}}}
            limits: {default: {cost: [12.5/1d, 100/30d]}, workspaces: {vision: {cost: []}}}
            """
        let ceilings = try load(yaml).ruleLimits.quotas
        #expect(ceilings.cost.map(\.count) == [125_000, 1_000_000])
        #expect(ceilings.cost(of: "vision").isEmpty && ceilings.cost(of: "speech").count == 2)
        let prices = try #require(ceilings.prices["sms"])
        #expect(["+8613800000001", "+8615800000001", "+4915100000001"].map(prices.price) == [10_000, 120, 500])
        #expect(try load(yaml).offer.channels?.contains("sms") == false)
        #expect(Money.text(125_000) == "12.5" && Money.text(79) == "0.0079" && Money.text(30_000) == "3")
        #expect(["", ".", "1.", "-1", "0.00001", "1e3"].map(Money.units) == [nil, nil, nil, nil, nil, nil])
    }
}
