//! Flags of what a traveller types: `login`, `search`, `book`, `trips`, `trip`, `cancel`, `mails`,
//! `logout`; and of what an administrator does over the gateway: `cron`.

use clap::{Args, Subcommand, ValueEnum};

use super::{Setting, setting};

/// Flags of every command that asks the gateway.
#[derive(Args, Debug)]
pub(crate) struct Gateway {
    /// The gateway to ask [default: port 8080 here]
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
    /// Print the gateway's answer as it is, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

impl Gateway {
    pub(super) fn settings(&self) -> Vec<Setting<'_>> {
        vec![setting("gateway.url", "--gateway", &self.gateway)]
    }
}

/// Flags of `skyway login`.
#[derive(Args, Debug)]
#[command(
    after_help = "The password is SKYWAY_PASSWORD, else what you type, else a line of standard input."
)]
pub(crate) struct Login {
    /// Mail address; asked for where it is left out
    #[arg(value_name = "EMAIL")]
    pub(crate) email: Option<String>,
    /// Make the account first
    #[arg(long)]
    pub(crate) sign_up: bool,
    #[command(flatten)]
    pub(crate) gateway: Gateway,
}

/// Flags of `skyway logout`.
#[derive(Args, Debug)]
pub(crate) struct Logout {
    #[command(flatten)]
    pub(crate) gateway: Gateway,
}

/// Flags of `skyway search`.
#[derive(Args, Debug)]
pub(crate) struct Search {
    /// Airport to leave from, for example JFK
    #[arg(value_name = "FROM")]
    pub(crate) origin: String,
    /// Airport to reach, for example SEA
    #[arg(value_name = "TO")]
    pub(crate) destination: String,
    /// Day of departure, for example 2026-12-01
    #[arg(value_name = "DATE")]
    pub(crate) date: String,
    /// Day of the flight back; without it, one way
    #[arg(long = "return", value_name = "DATE")]
    pub(crate) return_date: Option<String>,
    /// Seats wanted, 1 to 9
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(crate) passengers: u8,
    /// Cabin on every flight
    #[arg(long, value_enum, default_value_t = Cabin::Economy)]
    pub(crate) cabin: Cabin,
    /// Most stops of a direction, 0 to 2 [default: 2]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(crate) max_stops: Option<u8>,
    /// What comes first
    #[arg(long, value_enum, default_value_t = OrderBy::Price)]
    pub(crate) order_by: OrderBy,
    /// Most itineraries to list, 1 to 100
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) limit: u8,
    #[command(flatten)]
    pub(crate) gateway: Gateway,
}

/// Class of travel.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Cabin {
    /// Economy
    Economy,
    /// Premium economy
    PremiumEconomy,
    /// Business
    Business,
    /// First
    First,
}

impl Cabin {
    /// As the contract spells it.
    pub(crate) const fn contract(self) -> &'static str {
        match self {
            Self::Economy => "ECONOMY",
            Self::PremiumEconomy => "PREMIUM_ECONOMY",
            Self::Business => "BUSINESS",
            Self::First => "FIRST",
        }
    }
}

/// Order of itineraries.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OrderBy {
    /// The cheapest first
    Price,
    /// The quickest first
    Duration,
    /// The earliest first
    Departure,
}

impl OrderBy {
    /// As the contract spells it.
    pub(crate) const fn contract(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Duration => "duration",
            Self::Departure => "departure",
        }
    }
}

/// Flags of `skyway book`.
#[derive(Args, Debug)]
pub(crate) struct Book {
    /// Number of an itinerary in the last search, or an offer id
    #[arg(value_name = "OFFER")]
    pub(crate) offer: String,
    /// A passenger, given names then family name ("Ada Lovelace", or "de la Cruz, Juana"); once for each
    #[arg(long = "passenger", value_name = "NAME", required = true)]
    pub(crate) passengers: Vec<String>,
    /// Where mails about the trip go [default: the address that is signed in]
    #[arg(long, value_name = "EMAIL")]
    pub(crate) email: Option<String>,
    /// Idempotency key: booking again with the same one gives the same trip [default: a new one, which is printed]
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) gateway: Gateway,
}

/// Flags of `skyway trips`.
#[derive(Args, Debug)]
pub(crate) struct Trips {
    /// Most trips to list, 1 to 100
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) limit: u8,
    #[command(flatten)]
    pub(crate) gateway: Gateway,
}

/// Flags of `skyway trip`.
#[derive(Args, Debug)]
pub(crate) struct Trip {
    /// The trip
    #[arg(value_name = "ID")]
    pub(crate) trip: String,
    #[command(flatten)]
    pub(crate) gateway: Gateway,
}

/// Flags of `skyway cancel`.
#[derive(Args, Debug)]
pub(crate) struct Cancel {
    /// The trip
    #[arg(value_name = "ID")]
    pub(crate) trip: String,
    #[command(flatten)]
    pub(crate) gateway: Gateway,
}

/// Flags of `skyway mails`.
#[derive(Args, Debug)]
pub(crate) struct Mails {
    /// Most mails to list, 1 to 100
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) limit: u8,
    #[command(flatten)]
    pub(crate) gateway: Gateway,
}

/// What to do with the jobs that services do by the clock.
#[derive(Debug, Subcommand)]
pub(crate) enum Cron {
    /// Lists the jobs of all services: when they run next, and how their last run ended
    List(CronList),
    /// Runs a job now, beside its schedule, and waits for its end
    Run(CronRun),
}

impl Cron {
    pub(super) fn settings(&self) -> Vec<Setting<'_>> {
        match self {
            Self::List(list) => list.gateway.settings(),
            Self::Run(run) => run.gateway.settings(),
        }
    }
}

/// Flags of `skyway cron list`.
#[derive(Args, Debug)]
pub(crate) struct CronList {
    #[command(flatten)]
    pub(crate) gateway: Gateway,
}

/// Flags of `skyway cron run`.
#[derive(Args, Debug)]
pub(crate) struct CronRun {
    /// The job, for example expire-holds
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) gateway: Gateway,
}
