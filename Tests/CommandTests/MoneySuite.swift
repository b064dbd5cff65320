import CarillonRules
import Foundation
import Testing

@testable import carillon

@Suite("Configuration: budgets of money", .timeLimit(.minutes(5)))
struct MoneySuite {
    private func load(_ yaml: String) throws(ConfigurationError) -> Configuration {
        var sources = ConfigurationSources(environment: ["HOME": "/home/u"], isRoot: false)
        let tool = try? Tool()
        sources.file = try? tool?.file("carillon.yaml", Array(yaml.utf8))
        return try sources.load()
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

    @Test(
        "what can be no budget and no price is told with its place",
        arguments: [
            (
                "limits: {default: {cost: [5/1d]}}",
                "limits.default.cost needs channels.sms.price: without a price nothing costs anything"
            ),
            (
                "limits: {default: {cost: [five/1d]}}",
                ":1:27: limits.default.cost has to be what may be spent in a span, such as 12.50/1d, not \"five/1d\""
            ),
            (
                "limits: {workspaces: {a: {cost: [0.05/1d]}}}\nchannels: {sms: {price: {\"+\": 0.05, \"+86\": 0.01}}}",
                "limits.workspaces.a.cost: a message costs up to 0.05, so that none would fit into 0.05; with the part that is kept for critical rules it is at least 0.0625"
            ),
            (
                "channels: {sms: {price: {\"+86\": 0.01}}}",
                "channels.sms.price: has no '+', the price of all other numbers, which would cost nothing"
            ),
            (
                "channels: {sms: {price: {\"+\": cheap}}}",
                "channels.sms.price: 'cheap' is no price, such as 0.05; four places behind the point count"
            ),
        ])
    func faults(yaml: String, expected: String) {
        var problems: [String] = []
        do throws(ConfigurationError) { _ = try load(yaml) } catch { problems = error.problems }
        #expect(problems.first?.contains(expected) == true, "\(problems)")
    }
}
