//! What was seen at one place of the records: kinds of values, sizes of numbers, keys and elements.
//!
//! Grows with every value, and two shapes merge into what both saw. Does not know how JSON is read or what type a shape becomes.

use indexmap::IndexMap;

use super::number::Numbers;

/// How many different keys an object may have in all to become a struct.
const STRUCT_FIELDS: usize = 500;

/// A kind of JSON value other than null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean = 1,
    Number = 2,
    Text = 4,
    Object = 8,
    List = 16,
}

/// What was seen at one place.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    kinds: u8,
    /// Not to be looked into: the author pinned it as JSON.
    pub written: bool,
    pub numbers: Numbers,
    pub fields: Option<Box<Fields>>,
    pub element: Option<Box<Shape>>,
}

impl Shape {
    /// Notes a value of this kind, and tells whether it is still the only kind here.
    #[inline]
    pub(super) fn see(&mut self, kind: Kind) -> bool {
        let kinds = self.kinds | kind as u8;
        if kinds != self.kinds {
            self.kinds = kinds;
            self.forget_if_mixed();
        }
        kinds == kind as u8
    }

    /// Returns the only kind that was seen; `Ok(None)` if none was, `Err` if several.
    pub(super) fn kind(&self) -> Result<Option<Kind>, ()> {
        let all = [Kind::Boolean, Kind::Number, Kind::Text, Kind::Object, Kind::List];
        match self.kinds {
            0 => Ok(None),
            kinds => all.into_iter().find(|k| *k as u8 == kinds).map(Some).ok_or(()),
        }
    }

    /// Adds what another shape saw at the same place.
    pub(super) fn merge(&mut self, other: Shape) {
        self.kinds |= other.kinds;
        self.written |= other.written;
        self.numbers.merge(&other.numbers);
        match (&mut self.fields, other.fields) {
            (Some(mine), Some(theirs)) => mine.merge(*theirs),
            (mine @ None, theirs) => *mine = theirs,
            (Some(_), None) => {}
        }
        match (&mut self.element, other.element) {
            (Some(mine), Some(theirs)) => mine.merge(*theirs),
            (mine @ None, theirs) => *mine = theirs,
            (Some(_), None) => {}
        }
        self.forget_if_mixed();
    }

    // A place of mixed kinds is text as written, so what is inside no longer matters.
    fn forget_if_mixed(&mut self) {
        if !self.kinds.is_power_of_two() {
            self.fields = None;
            self.element = None;
        }
    }
}

/// The keys of the objects at one place, in the order first seen.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub seen: IndexMap<Box<str>, Shape>,
    /// More keys than the limit: the fields are forgotten.
    pub wide: bool,
    limit: usize,
    /// Keys whose values are not looked into.
    written: Vec<Box<str>>,
}

impl Default for Fields {
    fn default() -> Self {
        Fields::records(STRUCT_FIELDS, std::iter::empty())
    }
}

impl Fields {
    /// Makes the fields of whole records: with their own limit, and keys that are not to be looked into.
    pub(super) fn records<'a>(limit: usize, written: impl Iterator<Item = &'a str>) -> Fields {
        Fields { seen: IndexMap::new(), wide: false, limit, written: written.map(Box::from).collect() }
    }

    /// Finds or adds a key and returns its index; `None` if there are too many.
    #[inline]
    pub(super) fn slot(&mut self, key: &str, cursor: &mut usize) -> Option<usize> {
        find(&self.seen, key, cursor).or_else(|| self.add(key, cursor))
    }

    #[cold]
    fn add(&mut self, key: &str, cursor: &mut usize) -> Option<usize> {
        if self.wide || self.seen.len() == self.limit {
            self.wide = true;
            self.seen = IndexMap::new();
            return None;
        }
        let written = self.written.iter().any(|w| **w == *key);
        let (index, _) = self.seen.insert_full(key.into(), Shape { written, ..Shape::default() });
        *cursor = index + 1;
        Some(index)
    }

    pub(super) fn merge(&mut self, other: Fields) {
        self.wide |= other.wide;
        let mut cursor = 0;
        for (key, shape) in other.seen {
            if let Some(mine) = self.slot(&key, &mut cursor).and_then(|index| self.seen.get_index_mut(index)) {
                mine.1.merge(shape);
            }
        }
        if self.wide {
            self.seen = IndexMap::new();
        }
    }
}

/// Finds a key, first where it is expected: objects mostly have their keys in the same order, and some left out.
#[inline]
pub(super) fn find<V>(map: &IndexMap<Box<str>, V>, key: &str, cursor: &mut usize) -> Option<usize> {
    let expected = *cursor;
    for index in expected..expected + 3 {
        if map.get_index(index).is_some_and(|(k, _)| **k == *key) {
            *cursor = index + 1;
            return Some(index);
        }
    }
    let index = map.get_index_of(key)?;
    *cursor = index + 1;
    Some(index)
}
