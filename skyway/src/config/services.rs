//! What each service is told: our keys as the typed settings of its crate.

use std::collections::BTreeMap;

use mesh::client::Endpoints;

use super::Config;

impl Config {
    /// Settings of a search replica; importing uses the same.
    pub(crate) fn search(&self) -> search::Config {
        let mut settings = search::Config::new(&self.data_dir);
        let url = self.search.database_url.as_ref();
        settings.database_url = url.map(|url| url.reveal().to_owned());
        settings.offer_key = self.search.offer_key.as_ref().map(|key| key.0.clone());
        settings.seed_demo = self.search.demonstration.0;
        settings.server.drain_wait = self.drain_wait.0;
        settings.server.grace = self.grace.0;
        settings
    }

    /// Settings of the gateway, which finds search at `search`.
    pub(crate) fn gateway(&self, search: Endpoints) -> gateway::Config {
        let endpoints = BTreeMap::from([("search".to_owned(), search)]);
        let mut settings = gateway::Config::new(endpoints);
        settings
            .cors_origins
            .clone_from(&self.gateway.cors_origins.0);
        settings.drain_wait = self.drain_wait.0;
        settings.grace = self.grace.0;
        settings
    }
}
