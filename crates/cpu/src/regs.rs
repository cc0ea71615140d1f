//! Tile registers: a free list.
//!
//! Straight-line code in single assignment needs no more: a register is free after the last use of its value, and the
//! destination of a step is taken before its operands are given back, so it never is one of them.

use crate::code::Place;

/// What is known of one register.
struct Register {
    place: Place,
    busy: bool,
    pinned: bool,
}

/// The registers of one plan.
#[derive(Default)]
pub(crate) struct Registers(Vec<Register>);

impl Registers {
    /// The first free register, which is the likeliest to be in cache.
    pub(crate) fn take(&mut self) -> Option<Place> {
        let register = self.0.iter_mut().find(|register| !register.busy)?;
        register.busy = true;
        Some(register.place)
    }

    /// Adds a register, in use.
    pub(crate) fn add(&mut self, place: Place) {
        self.0.push(Register { place, busy: true, pinned: false });
    }

    /// Keeps a register for good, if the place is one.
    pub(crate) fn pin(&mut self, place: Place) {
        if let Some(register) = self.0.iter_mut().find(|register| register.place == place && register.busy) {
            register.pinned = true;
        }
    }

    /// Gives a register back, if the place is one and not pinned.
    pub(crate) fn free(&mut self, place: Place) {
        if let Some(register) =
            self.0.iter_mut().find(|register| register.place == place && register.busy && !register.pinned)
        {
            register.busy = false;
        }
    }
}
