public import CarillonEvents
public import CarillonLedger

// A channel knows two things about one kind of receiver: how a delivery becomes a request, and what an answer means.
// Both are pure functions; the courier does the sending. A new channel is one file in this folder.

/// One admitted delivery, complete enough to be sent.
public struct Outgoing: Sendable {
    /// The delivery's row in the ledger.
    public let delivery: DeliveryID
    /// Which claim of it this is; a failure of an older claim is not counted.
    public let epoch: Int64
    /// Tries that failed before this one, plus one.
    public let attempt: Int
    /// The lane for fairness and concurrency: one per endpoint.
    public let lane: Int64
    /// What to send: everything a channel may say.
    public let notice: Notice
    /// Where to, with its secrets in the clear; never logged.
    public let endpoint: Endpoint
    /// Nothing is sent once this moment of the worker's uptime has come, less the request's own timeout.
    public let leaseEnds: Duration

    /// Makes one.
    public init(
        delivery: DeliveryID, epoch: Int64, attempt: Int, lane: Int64, notice: Notice, endpoint: Endpoint,
        leaseEnds: Duration
    ) {
        (self.delivery, self.epoch, self.attempt, self.lane) = (delivery, epoch, attempt, lane)
        (self.notice, self.endpoint, self.leaseEnds) = (notice, endpoint, leaseEnds)
    }
}

/// What a notification says, ready for any channel.
///
/// The same for every copy of a delivery. A class, because it goes through several queues and has a dozen parts.
public final class Notice: Sendable {
    /// The delivery's key: the id receivers deduplicate on.
    public let key: Key
    /// Names the receiver reads.
    public let workspace, rule, severity: String
    /// The event's own type.
    public let type: String
    /// What the event is about.
    public let subject: String?
    /// When it happened, RFC 3339; empty when it had no time.
    public let time: String
    /// Rendered text.
    public let title, message: String
    /// The CloudEvent, as one JSON object, exactly as it was published.
    public let event: ArraySlice<UInt8>
    /// The event's W3C trace context, when it had one.
    public let traceparent: String?
    /// What it opens or closes at a pager, when its rule says.
    public let incident: Incident?
    /// The group it tells of, of which `event` is the newest; `nil` when it tells of one event.
    public let group: NoticeGroup?
    /// Where people look when the event does not say where.
    let links: Links?

    /// Makes one.
    public init(
        key: Key, workspace: String, rule: String, severity: String, type: String, subject: String?, time: String,
        title: String, message: String, event: ArraySlice<UInt8>, traceparent: String?, incident: Incident? = nil,
        group: NoticeGroup? = nil, links: Links? = nil
    ) {
        (self.incident, self.group, self.links) = (incident, group, links)
        (self.key, self.workspace, self.rule, self.severity) = (key, workspace, rule, severity)
        (self.type, self.subject, self.time, self.title, self.message) = (type, subject, time, title, message)
        (self.event, self.traceparent) = (event, traceparent)
    }
}

/// What a notification means to a pager.
public struct Incident: Sendable, Equatable {
    /// The same for all notifications of one incident.
    public let key: Key
    /// Whether it is over.
    public let resolves: Bool
    /// Makes one.
    public init(key: Key, resolves: Bool) { (self.key, self.resolves) = (key, resolves) }
}

/// Where a delivery goes: an address with its secrets resolved.
///
/// Built once per endpoint and revision, shared by its deliveries.
public final class Endpoint: Sendable {
    /// Its name in the rule document.
    public let name: String
    /// The address; may hold a secret, so it is never printed whole.
    public let url: String
    /// The verb.
    public let method: String
    /// Whether a receiver's certificate must be good.
    public let verifiesTLS: Bool
    /// What else is particular about its connections; `nil` for nothing.
    public let wire: WireTerms?
    /// Signing secrets, newest first; two while one rotates.
    public let secrets: [[UInt8]]
    /// Headers the document adds.
    public let headers: [(name: String, value: String)]
    /// The person's own address in a people's channel: of mail, or a number in E.164; `nil` for an endpoint.
    public let recipient: String?
    /// The receiver's own key that is no signing secret of webhooks: a chat robot's secret, a routing key; never
    /// printed.
    public let credential: String?
    /// When a failed delivery to it is tried again; `nil` for the deployment's schedule.
    public let retry: RetrySchedule?
    /// Which channel speaks to it.
    public let channel: any Channel
    /// Whether its channel may hold up the courier's thread; asked of every delivery, so it is known here.
    let needsOwnThread: Bool
    /// The secrets as prepared keys, in the same order, so that a signature costs no key schedule.
    let signers: [WebhookSigner]

    /// Makes one.
    ///
    /// A header that could break the request (see `HeaderLines.problem`) is never sent: refuse it where it is read.
    public init(
        name: String, url: String, method: String = "POST", secrets: [[UInt8]],
        headers: [(name: String, value: String)], verifiesTLS: Bool = true, wire: WireTerms? = nil,
        recipient: String? = nil,
        credential: String? = nil, retry: RetrySchedule? = nil, channel: any Channel
    ) {
        self.retry = retry
        (self.name, self.url, self.secrets, self.headers, self.channel) = (name, url, secrets, headers, channel)
        (self.method, self.verifiesTLS, self.wire) = (method, verifiesTLS, wire)
        (self.recipient, self.credential) = (recipient, credential)
        needsOwnThread = channel.needsOwnThread
        signers = secrets.map(WebhookSigner.init)
    }
}

/// A way to reach a kind of receiver.
public protocol Channel: Sendable {
    /// The channel's name in metrics and documents.
    var name: String { get }
    /// What the deployment's own settings of the channel keep secret: cut out of everything that is shown.
    var secrets: [String] { get }
    /// What becomes of a delivery of which nobody knows whether it arrived.
    var onAmbiguous: OnAmbiguous { get }
    /// Whether a try may hold up the thread that carries it, so that it needs one apart from the others.
    var needsOwnThread: Bool { get }
    /// The request for one try; a pure function, so every copy has the same body.
    ///
    /// - Throws: when the delivery cannot be said in this channel. Trying again would not help.
    func request(for outgoing: Outgoing, now: Timestamp) throws(Unsendable) -> Request
    /// What the receiver's answer means: the business code in its body decides before the status, the status before
    /// `Retry-After`.
    func outcome(of answer: Response) -> Outcome
}

extension Channel {
    /// None: most channels have their secrets from the endpoint.
    public var secrets: [String] { [] }
    /// `resend`: a receiver that deduplicates on the id sees one.
    public var onAmbiguous: OnAmbiguous { .resend }
    /// No: HTTP never waits.
    public var needsOwnThread: Bool { false }
}

/// What becomes of a delivery whose answer was lost.
public enum OnAmbiguous: String, Sendable, CaseIterable {
    /// It is not sent again: better none than two.
    case skip
    /// It is sent again: better two than none.
    case resend
}

/// A delivery that a channel cannot say, as with a body template that fails on the event.
public struct Unsendable: Error, Sendable, CustomStringConvertible {
    /// Why, in words that may be stored and shown.
    public let words: String
    /// Makes one; the words hold no secret.
    public init(_ words: String) { self.words = words }
    /// The words.
    public var description: String { words }
}

/// How one try ended.
public enum Outcome: Sendable, Equatable {
    /// The receiver said yes.
    case delivered
    /// It may be tried again: later, and not before `after` when the receiver said so.
    case failed(FailureReason, after: Duration?)
    /// The receiver wants fewer requests: nothing is wrong with this one, and its endpoint rests, for `after` when
    /// the receiver or its documentation says how long.
    case rateLimited(after: Duration?)
    /// No use in trying again.
    case refused(FailureReason)
    /// The endpoint is gone for good: no use in sending it anything.
    case gone(FailureReason)
    /// The request may have arrived; no answer did.
    case ambiguous(FailureReason)
    /// Nothing was sent: the lease would have run out, or the worker stops.
    ///
    /// Not an attempt.
    case unsent
}

/// The class of a failure, in the words of the metric `carillon_delivery_failures_total`.
public enum FailureReason: String, Sendable, CaseIterable {
    case authError, rateLimited, clientError, serverError, contextDeadlineExceeded, other, dns, tls, blocked, render
}

/// One try, ended.
public struct Ending: Sendable {
    /// The delivery.
    public let delivery: DeliveryID
    /// The claim it was sent under.
    public let epoch: Int64
    /// The lane it used, to free its place.
    public let lane: Int64
    /// The number of this try.
    public let attempt: Int
    /// The channel, for metrics.
    public let channel: String
    /// How it ended.
    public let outcome: Outcome
    /// The HTTP status; 0 when there was none.
    public let status: Int
    /// The receiver's or the library's own words, bounded, without a secret.
    public let words: String
    /// What the settlement keeps for a person to read, when the channel is such a one.
    public let page: InboxPage?

    /// Makes one.
    public init(_ sent: Outgoing, _ outcome: Outcome, status: Int = 0, words: String = "", page: InboxPage? = nil) {
        self.page = page
        (delivery, epoch, lane, attempt) = (sent.delivery, sent.epoch, sent.lane, sent.attempt)
        channel = sent.endpoint.channel.name
        (self.outcome, self.status, self.words) = (outcome, status, words)
    }
}

/// Carries requests to receivers on a thread of its own and says how each try ended.
public protocol Courier: AnyObject, Sendable {
    /// Takes deliveries; never blocks.
    ///
    /// Each is answered by exactly one ending, also after `drain` and `close`.
    func offer(_ deliveries: [Outgoing])
    /// The endings since the last call; never blocks.
    func collect() -> [Ending]
    /// Says that so many collected endings of tries (all but `unsent`) are written down.
    ///
    /// A try counts against the concurrency until then: were the worker killed now, so many copies at most would follow.
    func settled(_ tries: Int)
    /// Starts nothing more of what was offered so far for a lane: it ends as `unsent`.
    func withdraw(_ lane: Int64)
    /// Starts nothing more: what was not begun ends as `unsent`, what is on the wire ends by itself, at the latest at
    /// its timeout.
    func drain()
    /// Stops the thread and waits for it.
    ///
    /// What is on the wire is given up: `ambiguous` where the receiver may have the request, `unsent` where it cannot;
    /// all endings can be collected when this returns.
    func close()
}
