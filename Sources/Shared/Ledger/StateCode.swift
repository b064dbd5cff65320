/// How a delivery's state is written in a row, the same in every backend.
///
/// Open states come first, so that `state < 2` means open.
package enum StateCode {
    package static let pending: Int64 = 0
    package static let leased: Int64 = 1
    package static let delivered: Int64 = 2
    package static let dead: Int64 = 3
    package static let expired: Int64 = 4
    package static let withheld: Int64 = 5
    package static let cancelled: Int64 = 6
}

extension DeliveryState {
    private static let codes: [DeliveryState] = [
        .pending, .leased, .delivered, .dead, .expired, .withheld, .cancelled,
    ]
    /// As it is written in a row.
    package var code: Int64 { Int64(Self.codes.firstIndex(of: self) ?? 0) }
    /// Reads what `code` wrote; `nil` for anything else.
    package init?(code: Int64) {
        guard Self.codes.indices.contains(Int(code)) else { return nil }
        self = Self.codes[Int(code)]
    }
}
