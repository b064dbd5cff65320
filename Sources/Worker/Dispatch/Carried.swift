/// A delivery on its way.
struct Carried {
    let outgoing: Outgoing
    /// When it was begun, in milliseconds of the sockets' clock, and with which forerunners.
    let (begunAt, group): (Int64, Int)
    /// What libcurl opens a connection for and does not send; `nil` for what it sends itself.
    var plain: PlainRequest?
    /// Whether a kept connection died under it, so that nobody knows whether the receiver has it.
    var isRepeated = false
}

/// A request of plain HTTP and where it goes.
struct PlainRequest {
    let address: PlainAddress
    let request: Request
}
