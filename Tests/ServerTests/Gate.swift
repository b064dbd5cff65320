import CarillonPlatform

/// Lets through who comes while it is open, and counts who waits.
final class Gate: Sendable {
    private let state = Turnstile((isOpen: true, waiting: 0))

    func shut() { state.change { $0.isOpen = false } }
    func open() { state.change { $0.isOpen = true } }

    func pass() {
        state.change { $0.waiting += 1 }
        state.wait { $0.isOpen ? true : nil }
        state.change { $0.waiting -= 1 }
    }

    /// Waits until somebody waits.
    func waitForSomebody() { state.wait { $0.waiting > 0 ? true : nil } }
}

extension Turnstile {
    /// The same without an answer.
    func wait(until body: (inout State) -> Bool?) { let _: Bool = wait(until: body) }
}
