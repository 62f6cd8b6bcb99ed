#!/usr/bin/env python3
"""steady.py EDGE CONTAINER: stops a container, and starts it again, under a steady stream of requests, none of which may fail."""
import json
import subprocess
import sys
import threading
import time

from traveller import Traveller, eventually

edge, container = sys.argv[1:]
done = threading.Event()
answered, failed = [], []


def stream(step, pause):
    """Takes `step` again and again. Each stream has a traveller, and so a connection, of its own."""

    traveller = Traveller(edge)
    traveller.sign_up_and_in()

    def run():
        while not done.is_set():
            try:
                step(traveller)
                answered.append(step.__name__)
            except Exception as error:  # whatever it is, it is what a traveller would see
                failed.append(f"{step.__name__}: {error!r}")
                traveller.connection.close()
            time.sleep(pause)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def search(traveller):
    assert traveller.search("BTV", "SAN", days=50)


def book(traveller):
    trip = traveller.book(traveller.search("SEA", "BOS", days=60)[0])
    assert trip["state"] == "CONFIRMED", trip
    assert traveller.cancel(trip)["state"] == "CANCELLED"


def look(traveller):
    traveller.call("GET", "/v1/users/me")
    traveller.call("GET", "/v1/trips")
    traveller.call("GET", "/v1/mails")


def docker(*words):
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout


def state():
    return json.loads(docker("inspect", container))[0]["State"]


def goes_on():
    """Waits until every kind of request has been answered a few times more."""
    counts = {step: answered.count(step.__name__) + 5 for step in (search, book, look)}
    eventually("requests go on", lambda: failed or all(answered.count(step.__name__) >= count for step, count in counts.items()))


threads = [stream(search, 0.05), stream(book, 0.05), stream(look, 0.05)]
try:
    goes_on()
    docker("stop", container)
    assert state()["ExitCode"] == 0, "it did not end by itself"
    goes_on()
    docker("start", container)
    eventually(f"{container} is healthy again", lambda: state()["Health"]["Status"] == "healthy", patience=120)
    goes_on()
finally:
    done.set()
    for thread in threads:
        thread.join()
print(f"{len(answered)} requests and trips while {docker('inspect', '--format={{.Name}}', container).strip('/').strip()} was away, {len(failed)} failed")
sys.exit("\n".join(failed[:20]) or None)
