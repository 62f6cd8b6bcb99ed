//! How often somebody may try to sign up or in: per account and per network address.
//!
//! Per account, so that one password is not guessed from many addresses; per address, so that many
//! accounts are not tried from one. Each replica counts for itself: with n of them, n times as many
//! attempts pass, which is still far from enough to guess.

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};

use crate::config::{Limits, Rate};

/// Accounts, and addresses, remembered at once. Past it those that have recovered are forgotten
/// early, and if that does not help, new ones have to wait.
const MOST_KEYS: usize = 100_000;
/// How long new ones wait then.
const FULL: Duration = Duration::from_mins(1);
/// An IPv6 customer has a network of this many bits, and as many addresses in it as they like.
const CUSTOMER: u128 = u128::MAX << 64;

type Limiter<K, C> = RateLimiter<K, HashMapStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Counts attempts.
#[derive(Debug)]
pub(crate) struct Throttle<C: Clock = DefaultClock> {
    clock: C,
    /// Accounts by a hash that changes with every start: names of any length cost alike.
    accounts: Limiter<u64, C>,
    addresses: Limiter<IpAddr, C>,
    hasher: RandomState,
}

impl<C: Clock + Clone> Throttle<C> {
    pub(crate) fn new(limits: Limits, clock: C) -> Self {
        let accounts = HashMapStateStore::default();
        let addresses = HashMapStateStore::default();
        Self {
            accounts: RateLimiter::new(quota(limits.per_account), accounts, clock.clone()),
            addresses: RateLimiter::new(quota(limits.per_address), addresses, clock.clone()),
            clock,
            hasher: RandomState::new(),
        }
    }

    /// Counts an attempt with an account from an address, or says how long to wait.
    pub(crate) fn check(&self, account: &str, address: Option<IpAddr>) -> Result<(), Duration> {
        if let Some(address) = address {
            self.count(&self.addresses, &customer(address))?;
        }
        self.count(&self.accounts, &self.hasher.hash_one(account))
    }

    fn count<K: Clone + Eq + std::hash::Hash>(
        &self,
        limiter: &Limiter<K, C>,
        key: &K,
    ) -> Result<(), Duration> {
        if limiter.len() >= MOST_KEYS {
            limiter.retain_recent();
            if limiter.len() >= MOST_KEYS {
                return Err(FULL);
            }
        }
        let wait = |until: governor::NotUntil<C::Instant>| until.wait_time_from(self.clock.now());
        limiter.check_key(key).map_err(wait)
    }

    /// Forgets whoever has all attempts again.
    pub(crate) fn forget(&self) {
        self.accounts.retain_recent();
        self.accounts.shrink_to_fit();
        self.addresses.retain_recent();
        self.addresses.shrink_to_fit();
    }
}

fn quota(rate: Rate) -> Quota {
    let burst = NonZeroU32::new(rate.burst).unwrap_or(NonZeroU32::MIN);
    let every = rate.every.max(Duration::from_nanos(1));
    Quota::with_period(every)
        .expect("a period that is not zero")
        .allow_burst(burst)
}

/// The address, or the network that one customer has.
fn customer(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & CUSTOMER)),
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn throttle(
        per_account: u32,
        per_address: u32,
    ) -> (Throttle<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let rate = |burst| Rate {
            burst,
            every: Duration::from_secs(6),
        };
        let limits = Limits {
            per_account: rate(per_account),
            per_address: rate(per_address),
        };
        (Throttle::new(limits, clock.clone()), clock)
    }

    #[test]
    fn an_account_has_some_attempts_at_once_and_then_one_at_a_time() {
        let (throttle, clock) = throttle(3, 100);
        let attempt = || throttle.check("ada@example.com", None);
        for _ in 0..3 {
            assert_eq!(attempt(), Ok(()));
        }
        assert_eq!(attempt(), Err(Duration::from_secs(6)));
        clock.advance(Duration::from_secs(4));
        assert_eq!(attempt(), Err(Duration::from_secs(2)));
        assert_eq!(throttle.check("grace@example.com", None), Ok(()));
        clock.advance(Duration::from_secs(2));
        assert_eq!(attempt(), Ok(()));
        assert!(attempt().is_err());
    }

    #[test]
    fn an_address_is_counted_over_all_accounts() {
        let (throttle, _) = throttle(100, 2);
        for (account, address, passes) in [
            ("a", "192.0.2.7", true),
            ("b", "192.0.2.7", true),
            ("c", "192.0.2.7", false),
            ("c", "192.0.2.8", true),
            ("a", "2001:db8::1", true),
            ("b", "2001:db8::2", true),
            ("c", "2001:db8::3", false),
            ("c", "2001:db8:0:1::3", true),
        ] {
            let passed = throttle.check(account, address.parse().ok()).is_ok();
            assert_eq!(passed, passes, "{account} {address}");
        }
    }

    #[test]
    fn whoever_has_recovered_is_forgotten() {
        let (throttle, clock) = throttle(3, 3);
        throttle.check("a", "192.0.2.7".parse().ok()).unwrap();
        clock.advance(Duration::from_secs(1));
        throttle.forget();
        assert_eq!((throttle.accounts.len(), throttle.addresses.len()), (1, 1));
        clock.advance(Duration::from_mins(1));
        throttle.forget();
        assert_eq!((throttle.accounts.len(), throttle.addresses.len()), (0, 0));
    }
}
