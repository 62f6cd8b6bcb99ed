//! The scripts, each of which changes everything it has to at once.

use redis::{Script, ScriptInvocation};

/// The scripts, ready to be called by their digests.
pub(super) struct Scripts {
    pub(super) bury: Script,
    pub(super) dead: Script,
    pub(super) depth: Script,
    pub(super) keep: Script,
    pub(super) missing: Script,
    pub(super) open: Script,
    pub(super) publish: Script,
    pub(super) put_back: Script,
    pub(super) redrive: Script,
    pub(super) settle: Script,
    pub(super) take: Script,
    pub(super) turn: Script,
}

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("common.lua"), include_str!($file)))
    };
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            bury: script!("bury.lua"),
            dead: script!("dead.lua"),
            depth: script!("depth.lua"),
            keep: script!("keep.lua"),
            missing: script!("missing.lua"),
            open: script!("open.lua"),
            publish: script!("publish.lua"),
            put_back: script!("put_back.lua"),
            redrive: script!("redrive.lua"),
            settle: script!("settle.lua"),
            take: script!("take.lua"),
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
    group: String,
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
        for key in [&self.stream, &self.again].into_iter().chain(&self.rest) {
            call.key(key);
        }
        call.arg(&self.group);
        call
    }
}
