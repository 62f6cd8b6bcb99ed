//! Rows as the database has them. Plain column types, so that every supported database can hold them.

#![allow(unreachable_pub)] // sea-orm's derives want their items public

/// A pattern per row.
pub(super) mod pattern {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "patterns")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub carrier: String,
        pub number: i32,
        pub origin: String,
        pub destination: String,
        pub departure: i32,
        pub arrival: i32,
        pub arrival_day: i32,
        pub weekdays: i32,
        pub effective_from: Option<String>,
        pub effective_to: Option<String>,
        pub economy_seats: i32,
        pub economy_fare: i64,
        pub premium_economy_seats: i32,
        pub premium_economy_fare: i64,
        pub business_seats: i32,
        pub business_fare: i64,
        pub first_seats: i32,
        pub first_fare: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// One row: which timetable it is.
pub(super) mod timetable {
    use sea_orm::entity::prelude::*;

    /// Primary key of that row.
    pub const ID: i32 = 1;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "timetable")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub version: i64,
        pub source: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
