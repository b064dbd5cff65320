import CarillonEvents
import CarillonPlatform
import CarillonStream
import Glibc

// Who of a group reads which partition, by locks that die with their holder: `member-PID-N` says that a reader lives,
// `partition-P` that it reads P. Each takes at most its fair share, so a newcomer finds its part within one look.

/// One reader's place in its group.
struct Membership {
    let folder: String
    private let partitions: Partition
    private let me: FileLock
    private let myName: String
    private var held: [Partition: FileLock] = [:]

    init(folder: String, partitions: Partition, unique: Int) throws(PlatformError) {
        (self.folder, self.partitions) = (folder, partitions)
        try Folder.make(folder)
        Self.sweep(folder)
        // Containers on one volume may have equal process numbers.
        myName = "member-\(getpid())-\(unique)-\(SystemClock().now().milliseconds)"
        me = try FileLock(path: folder + "/" + myName)
        try me.lock()
    }

    /// A folder for a group: letters, digits and dashes as they are, other bytes as `_` and two hexadecimal digits, so that
    /// no two groups share one.
    static func folderName(of group: String) -> String {
        group.utf8.reduce(into: "") { name, byte in
            let scalar = UnicodeScalar(byte)
            let isPlain = scalar.isASCII && (scalar == "-" || Character(scalar).isLetter || Character(scalar).isNumber)
            name += isPlain ? String(scalar) : "_" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }

    /// The partitions held now.
    var mine: [Partition] { held.keys.sorted() }

    /// Takes free partitions up to the fair share and gives back what is beyond it.
    mutating func balance() throws(PlatformError) -> (gained: [Partition], lost: [Partition]) {
        let share = (Int(partitions) + livingMembers() - 1) / livingMembers()
        var lost: [Partition] = []
        for partition in mine.dropFirst(share) {
            held.removeValue(forKey: partition)?.unlock()
            lost.append(partition)
        }
        var gained: [Partition] = []
        for partition in 0..<partitions where held.count < share && held[partition] == nil && !lost.contains(partition)
        {
            // Looked at by reading first: closing a file that was open for writing wakes every member, without end.
            guard !FileLock.isHeld(path: folder + "/partition-\(partition)") else { continue }
            let lock = try FileLock(path: folder + "/partition-\(partition)")
            if try lock.tryLock() {
                held[partition] = lock
                gained.append(partition)
            }
        }
        return (gained, lost)
    }

    /// Gives everything back.
    mutating func leave() {
        for lock in held.values { lock.unlock() }
        held = [:]
        me.unlock()
        unsafe _ = unlink(folder + "/" + myName)
    }

    /// Removes what members of processes that are no more have left.
    ///
    /// One that lives and has not locked yet is spared.
    private static func sweep(_ folder: String) {
        for name in Folder.names(in: folder) where name.hasPrefix("member-") {
            guard let pid = name.split(separator: "-").dropFirst().first.flatMap({ pid_t($0) }) else { continue }
            let path = folder + "/" + name
            if kill(pid, 0) != 0, errno == ESRCH, !FileLock.isHeld(path: path) { unsafe _ = unlink(path) }
        }
    }

    private func livingMembers() -> Int {
        var living = 1
        for name in Folder.names(in: folder) where name.hasPrefix("member-") && name != myName {
            if FileLock.isHeld(path: folder + "/" + name) { living += 1 }
        }
        return living
    }
}
