"""The providers as their documentation has them, on loopback: checks signatures with Python's own hmac, says what the
real ones say, and writes each request down as a JSON line. The clock stands still: argument 1, in milliseconds.

A path beginning with /hang/ is read and never answered."""
import base64, hashlib, hmac, http.server, json, sys, threading, urllib.parse

NOW = int(sys.argv[1])
DINGTALK, FEISHU, ALIYUN, TWILIO = "SEC000example", "feishu-demo-secret", "testSecret", "AC1:twilio-token"
nonces = set()


def code(key, text, kind=hashlib.sha256):
    return base64.b64encode(hmac.new(key.encode(), text.encode(), kind).digest()).decode()


def dingtalk(query, body):
    stamp = query.get("timestamp", [""])[0]
    if not stamp.isdigit() or abs(int(stamp) - NOW) > 3600_000:
        return 200, {"errcode": 310000, "errmsg": "invalid timestamp"}
    if query.get("sign", [""])[0] != code(DINGTALK, stamp + "\n" + DINGTALK):
        return 200, {"errcode": 310000, "errmsg": "sign not match"}
    if query["access_token"] == ["gone"]:
        return 200, {"errcode": 300001, "errmsg": "token is not exist"}
    return 200, {"errcode": 0, "errmsg": "ok"}


def feishu(body):
    stamp = body.get("timestamp", "")
    if abs(int(stamp or 0) * 1000 - NOW) > 3600_000 or body.get("sign") != code(stamp + "\n" + FEISHU, ""):
        return 200, {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}
    return 200, {"code": 0, "msg": "success"}


def aliyun(form):
    given = dict(form)
    signature = given.pop("Signature", "")
    def enc(text):
        return urllib.parse.quote(text, safe="-_.~")
    query = "&".join(enc(k) + "=" + enc(v) for k, v in sorted(given.items()))
    if signature != code(ALIYUN + "&", "POST&%2F&" + enc(query), hashlib.sha1):
        return 400, {"Code": "SignatureDoesNotMatch", "Message": "no"}
    if given["SignatureNonce"] in nonces:
        return 400, {"Code": "SignatureNonceUsed", "Message": "used"}
    nonces.add(given["SignatureNonce"])
    return 200, {"Code": "OK", "Message": "OK", "BizId": "1"}


def twilio(headers):
    if headers.get("authorization") != "Basic " + base64.b64encode(TWILIO.encode()).decode():
        return 401, {"code": 20003, "message": "Authenticate"}
    return 201, {"status": "queued", "sid": "SM1"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        raw = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = {"method": self.command, "path": self.path, "headers": headers, "body": raw,
                "port": self.client_address[1]}
        print(json.dumps(seen), flush=True)
        path = urllib.parse.urlsplit(self.path)
        if path.path.startswith("/hang/"):
            threading.Event().wait()
        status, answer = self.answer(path, headers, raw)
        answer = answer if isinstance(answer, str) else json.dumps(answer)
        self.send_response(status)
        self.send_header("content-length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def answer(self, path, headers, raw):
        if path.path == "/robot/send":
            return dingtalk(urllib.parse.parse_qs(path.query), json.loads(raw))
        if path.path.startswith("/open-apis/bot/v2/hook/"):
            return feishu(json.loads(raw))
        if path.path == "/cgi-bin/webhook/send":
            known = path.query == "key=wecom-key"
            return 200, {"errcode": 0 if known else 93000, "errmsg": "ok" if known else "invalid webhook url"}
        if path.path.startswith("/services/"):
            return (200, "ok") if path.path == "/services/T0/B0/slack-key" else (404, "no_service")
        if path.path == "/v2/enqueue":
            known = json.loads(raw)["routing_key"] == "0123456789abcdef0123456789abcdef"
            return (202, {"status": "success"}) if known else (400, {"status": "invalid event"})
        if path.path.startswith("/2010-04-01/Accounts/AC1/"):
            return twilio(headers)
        if path.path == "/":
            return aliyun(urllib.parse.parse_qsl(raw, keep_blank_values=True))
        return 204, ""

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(json.dumps({"port": server.server_address[1]}), flush=True)
server.serve_forever()
