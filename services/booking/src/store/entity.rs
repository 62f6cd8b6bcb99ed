//! Rows as the database has them. Plain column types, so that every supported database can hold them.

#![allow(unreachable_pub)] // sea-orm's derives want their items public

/// A row per cabin of a dated flight of which a seat was ever wanted.
pub(super) mod inventory {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "inventory")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub flight_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub cabin: String,
        pub capacity: i32,
        pub held: i32,
        pub sold: i32,
        pub version: i64,
        pub departure_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A row per hold, whatever has become of it.
pub(super) mod booking {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "bookings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub booking_id: String,
        pub locator: Option<String>,
        pub trip_id: String,
        pub user_id: String,
        pub flight_id: String,
        pub cabin: String,
        pub seats: i32,
        pub state: String,
        pub created: i64,
        pub updated: i64,
        pub expires: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
