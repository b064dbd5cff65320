"""A scheduler in Python: `scheduler.py HOME WORKSPACE JOBS [SETTING...]` publishes two events a job from four threads.

Over Kafka: scheduler.py HOME WORKSPACE JOBS stream.kind=kafka stream.properties.bootstrap.servers=kafka:9092
"""

import sys
import threading

import carillon

THREADS = 4


def work(producer, workspace, jobs):
    for job in jobs:
        for type, data in (("job.running", {"owner": "小红"}), ("job.failed", {"exitCode": 137})):
            producer.append({
                "id": f"job-{job}/1/{type}", "source": "/examples/python", "type": type, "workspace": workspace,
                "subject": f"job-{job}", "data": data})


def main():
    if len(sys.argv) < 4:
        sys.exit("usage: scheduler.py HOME WORKSPACE JOBS [SETTING...]")
    home, workspace, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    told = []
    config = "\n".join([f"home={home}", *sys.argv[4:]])
    producer = carillon.Producer(config, report=lambda first, count, fate: told.append((first, count, fate)))
    try:
        producer.append({"id": "1", "source": "/examples/python", "workspace": workspace})
    except carillon.Refused as refused:
        print(refused)
    threads = [
        threading.Thread(target=work, args=(producer, workspace, range(number, count, THREADS)))
        for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not producer.flush(10):
        print("not all durable within ten seconds")
    counts = producer.close()
    assert sum(count for _, count, _ in told) == counts.accepted, "each accepted event is told once"
    print(f"accepted {counts.accepted} appended {counts.appended} spooled {counts.spooled} refused {counts.refused}")


if __name__ == "__main__":
    main()
