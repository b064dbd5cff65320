"""Another implementation on the other side: confluent-kafka and the cloudevents SDK.

kafka_interop.py produce SERVERS TOPIC   appends the events on standard input, a JSON object of attributes and data a line,
                                         in binary mode, or in structured mode where "mode" says so
kafka_interop.py consume SERVERS TOPIC COUNT
                                         prints COUNT records, each as a JSON object of attributes, data, key and partition
"""
import json
import sys
from datetime import datetime

import confluent_kafka
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent


def produce(servers, topic):
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": servers, "partitioner": "murmur2_random", "acks": "all"}
    )
    for line in sys.stdin:
        given = json.loads(line)
        attributes = given["attributes"]
        if "time" in attributes:
            attributes["time"] = datetime.fromisoformat(attributes["time"])
        event = CloudEvent(attributes, given["data"])
        write = kafka.to_structured if given.get("mode") == "structured" else kafka.to_binary
        message = write(event, JSONFormat())
        key = message.key if message.key is not None else given.get("key")
        producer.produce(topic, value=message.value, key=key, headers=list(message.headers.items()))
    assert producer.flush(30) == 0, "not everything was taken"


def consume(servers, topic, count):
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": servers, "group.id": "interop", "auto.offset.reset": "earliest"}
    )
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in partitions])
    for record in consumer.consume(count, timeout=30):
        assert record.error() is None, record.error()
        message = kafka.KafkaMessage(dict(record.headers()), record.key(), record.value())
        event = kafka.from_binary(message, JSONFormat(), CloudEvent)
        attributes = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in event.get_attributes().items()
        }
        print(
            json.dumps(
                {
                    "attributes": attributes,
                    "data": event.get_data(),
                    "key": record.key().decode(),
                    "partition": record.partition(),
                }
            )
        )
    consumer.close()


if sys.argv[1] == "produce":
    produce(sys.argv[2], sys.argv[3])
else:
    consume(sys.argv[2], sys.argv[3], int(sys.argv[4]))
