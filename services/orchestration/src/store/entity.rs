//! Rows as the database has them. Plain column types, so that every supported database can hold them.

#![allow(unreachable_pub)] // sea-orm's derives want their items public

/// A trip per row.
pub(super) mod trip {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "trips")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub user_id: String,
        pub request_key: String,
        pub state: String,
        pub cabin: i32,
        pub price_cents: i64,
        pub price_currency: String,
        pub passengers: String,
        pub contact_email: String,
        pub failure_reason: Option<String>,
        pub failure_message: Option<String>,
        pub failure_flight: Option<String>,
        pub departure: i64,
        pub created: i64,
        pub updated: i64,
        pub confirmed: Option<i64>,
        pub reminded: Option<i64>,
        pub attempt: i32,
        pub lease_owner: String,
        pub lease_epoch: i64,
        pub lease_until: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A flight of a trip per row.
pub(super) mod booking {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "trip_bookings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub trip_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub position: i32,
        pub flight_id: String,
        pub locator: Option<String>,
        pub state: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A line of a trip's log per row.
pub(super) mod log {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "trip_log")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub trip_id: String,
        pub time: i64,
        pub event: String,
        pub state: String,
        pub attempt: i32,
        pub detail: String,
        pub trace_id: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A use of an idempotency key per row.
pub(super) mod key {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotency")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub method: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub request_key: String,
        pub fingerprint: String,
        pub trip_id: String,
        pub created: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
