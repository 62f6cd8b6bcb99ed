"""A traveller who knows Skyway's REST surface, over one connection that is kept while the server does."""
import http.client
import json
import time
import uuid
from datetime import date, timedelta
from urllib.parse import urlencode, urlsplit


class Refused(Exception):
    """A request that was answered with an error."""


class Traveller:
    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self.email = f"{uuid.uuid4().hex}@example.com"
        self.headers = {}

    def call(self, method, path, body=None, **headers):
        """The answer's document. Nothing is tried again: whoever stands in front must not need that."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | self.headers
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, data, headers)
        response = self.connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            raise Refused(f"{method} {path}: {response.status} {text}")
        return json.loads(text)

    def sign_up_and_in(self):
        account = {"email": self.email, "password": "correct horse battery"}
        self.call("POST", "/v1/users", account)
        token = self.call("POST", "/v1/sessions", account)["accessToken"]
        self.headers = {"authorization": f"Bearer {token}"}

    def search(self, origin, destination, days=45):
        """Itineraries for two there and, a week later, back."""
        leaves = date.today() + timedelta(days)
        question = {
            "origin": origin,
            "destination": destination,
            "departureDate": leaves,
            "returnDate": leaves + timedelta(7),
            "passengers": 2,
        }
        return self.call("GET", f"/v1/itineraries:search?{urlencode(question)}")["itineraries"]

    def book(self, itinerary, **headers):
        passengers = [("Ada", "Lovelace"), ("Grace", "Hopper")]
        wanted = {
            "offerId": itinerary["offerId"],
            "contactEmail": self.email,
            "passengers": [{"givenName": given, "familyName": family} for given, family in passengers],
        }
        return self.call("POST", "/v1/trips", wanted, idempotency_key=uuid.uuid4().hex, **headers)

    def cancel(self, trip):
        return self.call("POST", f"/v1/trips/{trip['tripId']}:cancel", {})


def eventually(what, question, patience=60):
    """The first answer to `question` that is not false."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if answer := question():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {patience} s")
