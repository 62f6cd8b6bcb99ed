//! What happens at its time and not because somebody asked. Each may run on two replicas at once.

pub mod departure_reminders;
