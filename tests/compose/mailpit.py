#!/usr/bin/env python3
"""Stands in for Mailpit: takes every mail by SMTP on 1025, and shows them on 8025 as Mailpit's API does.

It knows GET /api/v1/search?query=to:ADDRESS and GET /api/v1/message/ID/raw. `mailpit readyz` asks whether it serves.
"""
import email
import email.policy
import json
import socketserver
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

MAILS = []  # (recipients, bytes), in order of arrival; appended to only once a mail is whole


class Smtp(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 mailpit ESMTP stand-in")
        recipients = []
        while line := self.rfile.readline():
            verb = line.strip().upper()
            if verb.startswith(b"EHLO"):
                self.say("250-mailpit\r\n250-8BITMIME\r\n250 SMTPUTF8")
            elif verb.startswith(b"RCPT TO:"):
                recipients.append(line.split(b"<")[1].split(b">")[0].decode())
                self.say("250 ok")
            elif verb == b"DATA":
                self.say("354 go on")
                MAILS.append((recipients, self.data()))
                recipients = []
                self.say("250 ok")
            elif verb == b"QUIT":
                return self.say("221 bye")
            else:  # HELO, MAIL, RSET, NOOP
                recipients = recipients if verb == b"NOOP" else []
                self.say("250 ok")

    def data(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise ConnectionError("a mail that ends in the middle is none")
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        wanted = parse_qs(url.query).get("query", ["to:"])[0].removeprefix("to:").strip('"')
        if url.path == "/api/v1/search":
            found = [summary(at) for at, (to, _) in enumerate(MAILS) if wanted in to]
            self.answer(json.dumps({"messages": found, "messages_count": len(found)}).encode())
        elif url.path.startswith("/api/v1/message/") and url.path.endswith("/raw"):
            self.answer(MAILS[int(url.path.split("/")[4])][1])
        else:
            self.answer(b"{}")

    def answer(self, body):
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def summary(at):
    recipients, data = MAILS[at]
    head = email.message_from_bytes(data, policy=email.policy.default)
    return {"ID": str(at), "MessageID": head["message-id"], "Subject": head["subject"], "To": [{"Address": to} for to in recipients]}


class SmtpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128


if sys.argv[1:] == ["readyz"]:
    urllib.request.urlopen("http://127.0.0.1:8025/readyz", timeout=2)
else:
    threading.Thread(target=SmtpServer(("", 1025), Smtp).serve_forever, daemon=True).start()
    ThreadingHTTPServer(("", 8025), Api).serve_forever()
