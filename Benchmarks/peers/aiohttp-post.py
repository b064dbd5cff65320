#!/usr/bin/env python3
"""POSTs over aiohttp as the usual Python sender would: the same body and headers over kept connections.

  aiohttp-post.py URL COUNT CONNECTIONS      prints {"count": …, "failed": …, "cpu_us_each": …}
"""
import asyncio, json, resource, sys

import aiohttp

BODY = b'{"type":"job.failed","timestamp":"2026-01-05T08:00:00.250Z","data":"' + b"x" * 529 + b'"}'
HEADERS = {"content-type": "application/json", "webhook-id": "0123456789abcdef0123456789abcdef",
           "webhook-timestamp": "1767600000",
           "webhook-signature": "v1,0123456789abcdef0123456789abcdef0123456789ab"}


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def main(url, count, connections):
    failed = 0
    numbers = iter(range(count))

    async def send(session):
        nonlocal failed
        for _ in numbers:
            async with session.post(url, data=BODY, headers=HEADERS) as answer:
                await answer.read()
                failed += answer.status != 200

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        began = cpu()
        await asyncio.gather(*(send(session) for _ in range(connections)))
        print(json.dumps(dict(count=count, failed=failed, cpu_us_each=(cpu() - began) * 1e6 / count)))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
