//! The scripts, each of which changes everything it has to at once.

use redis::{Cmd, Script, ScriptInvocation};

/// The scripts, ready to be called by their digests.
pub(super) struct Scripts {
    pub(super) bury: Script,
    pub(super) dead: Script,
    pub(super) depth: Script,
    pub(super) keep: Script,
    pub(super) missing: Script,
    pub(super) open: Script,
    pub(super) put_back: Script,
    pub(super) redrive: Script,
    pub(super) settle: Script,
    pub(super) take_old: Script,
    pub(super) turn: Script,
}

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("common.lua"), include_str!($file)))
    };
}

/// Makes the streams where they are gone, and does nothing else.
pub(super) const MEND: &str = include_str!("common.lua");
pub(super) const HOLD: &str = concat!(include_str!("common.lua"), include_str!("hold.lua"));

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            bury: script!("bury.lua"),
            dead: script!("dead.lua"),
            depth: script!("depth.lua"),
            keep: script!("keep.lua"),
            missing: script!("missing.lua"),
            open: script!("open.lua"),
            put_back: script!("put_back.lua"),
            redrive: script!("redrive.lua"),
            settle: script!("settle.lua"),
            take_old: script!("take_old.lua"),
            turn: script!("turn.lua"),
        }
    }
}

/// The keys of a topic. The braces keep them on one slot of a cluster: the one of the stream.
#[derive(Debug)]
pub(super) struct Keys {
    /// Messages in the order of their publication.
    pub(super) stream: String,
    /// Messages that were taken before and are to be taken first.
    pub(super) again: String,
    /// The others, in the order of `common.lua`.
    rest: [String; 6],
    /// Name of the consumer group.
    pub(super) group: String,
}

impl Keys {
    pub(super) fn new(topic: &str) -> Self {
        let stream = format!("skyway:{topic}");
        let key = |name: &str| format!("{{{stream}}}:{name}");
        Self {
            again: key("again"),
            rest: ["ids", "delayed", "bodies", "dead", "buried", "rate"].map(key),
            group: topic.to_owned(),
            stream,
        }
    }

    /// Begins a call.
    pub(super) fn call<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        for key in self.all() {
            call.key(key);
        }
        call.arg(&self.group);
        call
    }

    /// Begins a call by its text, which always succeeds: in a transaction nobody could load what the server does not know.
    pub(super) fn eval(&self, script: &str) -> Cmd {
        let mut call = redis::cmd("EVAL");
        let keys: Vec<_> = self.all().collect();
        call.arg(script).arg(keys.len()).arg(keys);
        call.arg(&self.group);
        call
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        [&self.stream, &self.again].into_iter().chain(&self.rest)
    }
}
