-- wrk: one POST of 600 bytes, over and over, with the headers a webhook has.
wrk.method = "POST"
wrk.body = '{"type":"job.failed","timestamp":"2026-01-05T08:00:00.250Z","data":"' .. string.rep("x", 529) .. '"}'
wrk.headers["content-type"] = "application/json"
wrk.headers["webhook-id"] = "0123456789abcdef0123456789abcdef"
wrk.headers["webhook-timestamp"] = "1767600000"
wrk.headers["webhook-signature"] = "v1,0123456789abcdef0123456789abcdef0123456789ab"
