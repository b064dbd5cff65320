import CarillonStream

/// Gives the partitions of all topics numbers for as long as a reader lives.
///
/// Those there at its start are numbered in the order of topics; what comes later goes on from there.
struct PartitionAtlas {
    private let cluster: Cluster
    private var numbers: [TopicPartition: Partition] = [:]
    private var partitions: [TopicPartition] = []

    init(_ cluster: Cluster) {
        self.cluster = cluster
        add(cluster)
    }

    var all: [Partition] { Array(0..<Partition(partitions.count)) }

    mutating func add(_ cluster: Cluster) {
        for topic in cluster.topics {
            for partition in 0..<topic.partitions {
                _ = number(of: TopicPartition(topic: topic.name, partition: partition))
            }
        }
    }

    mutating func number(of partition: TopicPartition) -> Partition {
        if let known = numbers[partition] { return known }
        let number = Partition(partitions.count)
        partitions.append(partition)
        numbers[partition] = number
        return number
    }

    func topicPartition(_ number: Partition) -> TopicPartition { partitions[Int(number)] }

    func place(of number: Partition) -> Place {
        let partition = topicPartition(number)
        return Place(stream: cluster.streamName(of: partition.topic), partition: partition.partition)
    }
}
