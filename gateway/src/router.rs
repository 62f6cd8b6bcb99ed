//! From verb and path to a route: a trie over path segments, built once at start.
//!
//! At each segment a literal is preferred to `*`, and `*` to `**`, in whatever order the routes
//! were added; a choice that leads nowhere is taken back. A custom verb (`/v1/flights/F1:watch`)
//! is preferred to a last segment that contains a colon. Nothing is allocated to find a route.
//!
//! Empty segments match nothing, so that `/v1/flights/` and `/v1//flights` are not found.

use contracts::rt::route::Segment;
use http::Method;
use percent_encoding::percent_decode_str;

/// Finds a `T` by verb and path.
#[derive(Debug)]
pub struct Router<T> {
    nodes: Vec<Node>,
    routes: Vec<T>,
}

#[derive(Debug, Default)]
struct Node {
    literals: Vec<(&'static str, usize)>,
    one: Option<usize>,
    /// Routes that end here.
    here: Vec<Leaf>,
    /// Routes that end here in `**`.
    rest: Vec<Leaf>,
}

#[derive(Debug)]
struct Leaf {
    verb: &'static str,
    custom_verb: Option<&'static str>,
    route: usize,
}

/// A route that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which one, for [`Router::route`].
    pub route: usize,
    /// Length of the path without its custom verb.
    pub path_len: usize,
}

/// Why no route was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No route has this path.
    Path,
    /// Routes with this path want one of these verbs, comma-separated.
    Verb(String),
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
            routes: Vec::new(),
        }
    }
}

impl<T> Router<T> {
    /// Adds a route. Of two with the same verb and path the first counts; `codegen` refuses
    /// contracts that have such.
    pub fn add(
        &mut self,
        verb: &'static str,
        segments: &[Segment],
        custom_verb: Option<&'static str>,
        route: T,
    ) {
        let leaf = Leaf {
            verb,
            custom_verb,
            route: self.routes.len(),
        };
        self.routes.push(route);
        let mut node = 0;
        for segment in segments {
            node = match segment {
                Segment::Literal(text) => self.literal(node, text),
                Segment::One => self.one(node),
                Segment::Rest => return self.nodes[node].rest.push(leaf),
            };
        }
        self.nodes[node].here.push(leaf);
    }

    /// The route with this number.
    #[must_use]
    pub fn route(&self, number: usize) -> &T {
        &self.routes[number]
    }

    /// Finds the route of a request. `HEAD` is answered by `GET`.
    ///
    /// # Errors
    ///
    /// [`Missing`] where there is none.
    pub fn find(&self, method: &Method, path: &str) -> Result<Found, Missing> {
        let verb = if method == Method::HEAD {
            "GET"
        } else {
            method.as_str()
        };
        if let Some(found) = self.scan(path, |leaf| leaf.verb == verb) {
            return Ok(found);
        }
        let mut allowed = Vec::new();
        self.scan(path, |leaf| {
            if !allowed.contains(&leaf.verb) {
                allowed.push(leaf.verb);
            }
            false
        });
        if allowed.is_empty() {
            return Err(Missing::Path);
        }
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        Err(Missing::Verb(allowed.join(", ")))
    }

    fn scan(&self, path: &str, mut accept: impl FnMut(&Leaf) -> bool) -> Option<Found> {
        let segments = path.strip_prefix('/')?;
        let last = segments.rfind('/').map_or(0, |slash| slash + 1);
        if let Some(colon) = segments[last..].rfind(':').map(|colon| last + colon) {
            let custom_verb = &segments[colon + 1..];
            let mut accept = |leaf: &Leaf| leaf.custom_verb == Some(custom_verb) && accept(leaf);
            if let Some(route) = self.walk(0, Some(&segments[..colon]), &mut accept) {
                return Some(Found {
                    route,
                    path_len: 1 + colon,
                });
            }
        }
        let mut accept = |leaf: &Leaf| leaf.custom_verb.is_none() && accept(leaf);
        let segments = (!segments.is_empty()).then_some(segments);
        let route = self.walk(0, segments, &mut accept)?;
        Some(Found {
            route,
            path_len: path.len(),
        })
    }

    /// Walks down from `node` along what is left of the path; none is left at its end.
    fn walk(
        &self,
        node: usize,
        left: Option<&str>,
        accept: &mut impl FnMut(&Leaf) -> bool,
    ) -> Option<usize> {
        let node = &self.nodes[node];
        let taken = match left {
            None => node.here.iter().find(|leaf| accept(leaf)),
            Some(left) => {
                let (segment, left) = match left.split_once('/') {
                    Some((segment, left)) => (segment, Some(left)),
                    None => (left, None),
                };
                if segment.is_empty() {
                    return None;
                }
                let literal = node.literals.iter().find(|(text, _)| same(text, segment));
                let next = [literal.map(|(_, next)| *next), node.one];
                if let Some(route) = next
                    .into_iter()
                    .flatten()
                    .find_map(|next| self.walk(next, left, accept))
                {
                    return Some(route);
                }
                None
            }
        };
        taken
            .or_else(|| {
                let whole = left.is_none_or(|left| left.split('/').all(|part| !part.is_empty()));
                node.rest.iter().find(|leaf| whole && accept(leaf))
            })
            .map(|leaf| leaf.route)
    }

    fn literal(&mut self, node: usize, text: &'static str) -> usize {
        if let Some((_, next)) = self.nodes[node]
            .literals
            .iter()
            .find(|(known, _)| *known == text)
        {
            return *next;
        }
        let next = self.push();
        self.nodes[node].literals.push((text, next));
        next
    }

    fn one(&mut self, node: usize) -> usize {
        if let Some(next) = self.nodes[node].one {
            return next;
        }
        let next = self.push();
        self.nodes[node].one = Some(next);
        next
    }

    fn push(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }
}

/// A literal matches its text and every percent-encoding of it.
fn same(literal: &str, segment: &str) -> bool {
    literal == segment || (segment.contains('%') && percent_decode_str(segment).eq(literal.bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a template without variables' names: `/a/*/b/**:verb`.
    fn router(templates: &[&'static str]) -> Router<&'static str> {
        let mut router = Router::default();
        for route in templates {
            let (verb, template) = route.split_once(' ').unwrap_or(("GET", route));
            let (path, custom_verb) = match template.split_once(':') {
                Some((path, verb)) => (path, Some(verb)),
                None => (template, None),
            };
            let segments: Vec<_> = path[1..]
                .split('/')
                .filter(|text| !text.is_empty())
                .map(|text| match text {
                    "*" => Segment::One,
                    "**" => Segment::Rest,
                    text => Segment::Literal(text),
                })
                .collect();
            router.add(verb, &segments, custom_verb, *route);
        }
        router
    }

    #[track_caller]
    fn check(templates: &[&'static str], cases: &[(&str, &str)]) {
        let mut reversed = templates.to_vec();
        reversed.reverse();
        for router in [router(templates), router(&reversed)] {
            for (request, expected) in cases {
                let (verb, path) = request.split_once(' ').unwrap_or(("GET", request));
                let answer = match router.find(&verb.parse().unwrap(), path) {
                    Ok(found) => (*router.route(found.route)).to_owned(),
                    Err(Missing::Path) => "404".to_owned(),
                    Err(Missing::Verb(allow)) => format!("405 {allow}"),
                };
                assert_eq!(answer, *expected, "{request}");
            }
        }
    }

    #[test]
    fn literal_beats_one_beats_rest_in_any_order() {
        let templates = ["/a/**", "/b/*", "/c/*/d/**", "/c/*/d/e", "/c/f/d/e", "/"];
        check(
            &templates,
            &[
                ("/a/b/c", "/a/**"),
                ("/a", "/a/**"),
                ("/c/u/d/v", "/c/*/d/**"),
                ("/c/x/d/e", "/c/*/d/e"),
                ("/c/f/d/e", "/c/f/d/e"),
                ("/c/f/d/x", "/c/*/d/**"),
                ("/", "/"),
                ("/c/x/y/d/z", "404"),
                ("/c//v/d/w/x", "404"),
                ("/a//b", "404"),
                ("/a/b/", "404"),
                ("/b", "404"),
                ("b", "404"),
                ("", "404"),
                ("POST /b/x", "405 GET, HEAD"),
            ],
        );
        check(
            &["/user/me", "/user/*"],
            &[("/user/me", "/user/me"), ("/user/you", "/user/*")],
        );
        check(
            &["/v3/files", "/v3/files/**"],
            &[("/v3/files", "/v3/files"), ("/v3/files/x", "/v3/files/**")],
        );
    }

    #[test]
    fn custom_verbs_beat_colons_in_a_segment() {
        let templates = ["/**:verb", "/person/*", "/person"];
        check(
            &templates,
            &[
                ("/person/jason:verb", "/**:verb"),
                ("/person/jason:other", "/person/*"),
                ("/person/a:b:verb", "/**:verb"),
                ("/person:other", "404"),
                ("/animal/cat", "404"),
                ("/animal/cat:other", "404"),
            ],
        );
        check(
            &["/v1/bucket/*:LOCK"],
            &[
                ("/v1/bucket/my-bucket:LOCK", "/v1/bucket/*:LOCK"),
                ("/v1/bucket/my-bucket", "404"),
                ("/v1/bucket/:LOCK", "404"),
            ],
        );
        check(
            &[
                "/v1/flights:departures",
                "/v1/flights/*",
                "/v1/flights/*:watch",
            ],
            &[
                ("/v1/flights:departures", "/v1/flights:departures"),
                ("/v1/flights/departures", "/v1/flights/*"),
                ("/v1/flights/F1:watch", "/v1/flights/*:watch"),
                ("/v1/flights/F1%3Awatch", "/v1/flights/*"),
                ("/v1/flights", "404"),
            ],
        );
    }

    #[test]
    fn verbs_are_told_apart_and_listed() {
        let templates = [
            "POST /api/v1/organizations:verb",
            "POST /api/v1/organizations",
            "POST /api/v1/dummies:verb",
            "GET /api/v1/organizations",
            "DELETE /api/v1/*",
        ];
        check(
            &templates,
            &[
                ("POST /api/v1/organizations:verb", templates[0]),
                ("POST /api/v1/organizations", templates[1]),
                ("HEAD /api/v1/organizations", templates[3]),
                ("DELETE /api/v1/organizations", templates[4]),
                ("PUT /api/v1/dummies:verb", "405 POST, DELETE"),
                ("PATCH /api/v1/other", "405 DELETE"),
            ],
        );
    }

    #[test]
    fn percent_encoded_literals_are_the_literal() {
        check(
            &["/v1/flights"],
            &[
                ("/v1/fl%69ghts", "/v1/flights"),
                ("/v1/fl%zzights", "404"),
                ("/v1%2Fflights", "404"),
            ],
        );
    }

    #[test]
    fn the_path_ends_before_its_custom_verb() {
        let router = router(&["/v1/flights/*:watch"]);
        let path = "/v1/flights/F1:watch";
        let found = router.find(&Method::GET, path).unwrap();
        assert_eq!(&path[..found.path_len], "/v1/flights/F1");
    }
}
