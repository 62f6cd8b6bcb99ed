#!/usr/bin/env python3
"""Stands in for Jaeger: takes spans by OTLP/gRPC on 4317, and shows them on 16686 as GET /api/traces/ID of Jaeger does."""
import json
from collections import defaultdict
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc

TRACES = defaultdict(list)  # trace id -> (service, name of the span)
SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(message, wanted):
    """The values of the length-delimited field `wanted` of a protobuf message."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        if tag & 7 == 0:
            _, at = varint(message, at)
            continue
        size, at = varint(message, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
        if tag & 7 == 2 and tag >> 3 == wanted:
            yield message[at : at + size]
        at += size


def at(message, *path):
    """Every value at a path of fields."""
    values = [message]
    for field in path:
        values = [inner for outer in values for inner in fields(outer, field)]
    return values


def export(request, _context):
    for resource_spans in at(request, 1):
        attributes = {tuple(at(pair, 1)): at(pair, 2, 1) for pair in at(resource_spans, 1, 1)}
        service = attributes[(b"service.name",)][0].decode()
        for span in at(resource_spans, 2, 2):
            TRACES[at(span, 1)[0].hex()].append((service, at(span, 5)[0].decode()))
    return b""  # an ExportTraceServiceResponse that rejects nothing


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        trace = self.path.rpartition("/")[2]
        spans = TRACES.get(trace, [])
        document = {
            "traceID": trace,
            "spans": [{"operationName": name, "processID": service} for service, name in spans],
            "processes": {service: {"serviceName": service} for service, _ in spans},
        }
        body = json.dumps({"data": [document] if spans else []}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass  # one line per question would hide all else


server = grpc.server(futures.ThreadPoolExecutor(4))
handler = grpc.unary_unary_rpc_method_handler(export)
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"Export": handler})])
server.add_insecure_port("0.0.0.0:4317")
server.start()
ThreadingHTTPServer(("", 16686), Api).serve_forever()
