#!/usr/bin/env python3
"""walk.py EDGE JAEGER MAILPIT: the README's walk, then its mails and its trace, all by what a person could ask for too."""
import json
import secrets
import sys
import urllib.request
from urllib.parse import quote

from traveller import Traveller, eventually

edge, jaeger, mailpit = sys.argv[1:]


def get(url):
    with urllib.request.urlopen(url, timeout=30) as response:
        return response.read()


def ready():
    try:
        return get(f"{edge}/readyz")
    except OSError:  # not yet: refused, cut off, or 503
        return None


eventually("the edge is ready", ready, patience=300)
ada = Traveller(edge)
ada.sign_up_and_in()
assert ada.call("GET", "/v1/users/me")["email"] == ada.email

offer = ada.search("BTV", "SAN")[0]
trace = secrets.token_hex(16)
trip = ada.book(offer, traceparent=f"00-{trace}-{secrets.token_hex(8)}-01")
assert trip["state"] == "CONFIRMED", trip
flights = [flight["flightId"] for leg in offer["legs"] for flight in leg["flights"]]
assert [booking["flightId"] for booking in trip["bookings"]] == flights, trip
assert all(booking["seats"] == 2 for booking in trip["bookings"]), trip
print(f"booked: {len(flights)} flights for {trip['totalPrice']['units']} {trip['totalPrice']['currencyCode']}")

assert ada.call("GET", f"/v1/trips/{trip['tripId']}")["state"] == "CONFIRMED"
locator = trip["bookings"][0]["locator"]
assert ada.call("GET", f"/v1/bookings/{locator}")["state"] == "CONFIRMED"
seats = ada.call("GET", f"/v1/flights/{flights[0]}")
assert ada.cancel(trip)["state"] == "CANCELLED"
assert ada.call("GET", f"/v1/trips/{trip['tripId']}")["state"] == "CANCELLED"
print("seen and cancelled")


def services():
    found = json.loads(get(f"{jaeger}/api/traces/{trace}"))["data"]
    names = {process["serviceName"] for one in found for process in one["processes"].values()}
    return names >= {"gateway", "orchestration", "search", "booking", "mail"} and names


print("traced:", *sorted(eventually(f"the trace {trace} goes through every service", services)))


def mails():
    found = json.loads(get(f"{mailpit}/api/v1/search?query={quote('to:' + ada.email)}"))["messages"]
    return len(found) >= 2 and found


received = eventually("a mail for the booking and one for the cancellation", mails)
raw = [get(f"{mailpit}/api/v1/message/{quote(mail['ID'])}/raw") for mail in received]
assert len(received) == 2, received
assert any(b"text/calendar" in mail for mail in raw), "no mail has the flights as a calendar"
print("mailed:", *sorted(mail["Subject"] for mail in received), sep="\n  ")
