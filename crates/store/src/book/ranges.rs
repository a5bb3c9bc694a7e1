//! A set of offsets that mostly stand side by side.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::names::Offset;

/// Offsets as ranges, written as `3-7,9`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetRanges {
    /// The last one of each range, by its first one. Ranges do not touch.
    ranges: BTreeMap<u64, u64>,
}

/// A text that is no list of ranges.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("offsets are written as numbers and ranges, such as 3-7,9, in order")]
pub struct OffsetRangesError;

impl OffsetRanges {
    /// Whether it is among them.
    pub fn contains(&self, offset: Offset) -> bool {
        self.ranges.range(..=offset.0).next_back().is_some_and(|(_, last)| *last >= offset.0)
    }

    /// Adds it; `false` if it was there.
    pub fn insert(&mut self, Offset(offset): Offset) -> bool {
        if self.contains(Offset(offset)) {
            return false;
        }
        let last = offset.checked_add(1).and_then(|next| self.ranges.remove(&next)).unwrap_or(offset);
        match self.ranges.range_mut(..offset).next_back() {
            Some((_, before)) if *before + 1 == offset => *before = last,
            _ => _ = self.ranges.insert(offset, last),
        }
        true
    }

    /// Takes all before this one out.
    pub fn forget_before(&mut self, Offset(offset): Offset) {
        while let Some(range) = self.ranges.first_entry().filter(|range| *range.key() < offset) {
            let (_, last) = range.remove_entry();
            if last >= offset {
                self.ranges.insert(offset, last);
            }
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Offset> {
        self.ranges.iter().flat_map(|(first, last)| (*first..=*last).map(Offset))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl fmt::Display for OffsetRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}

impl FromStr for OffsetRanges {
    type Err = OffsetRangesError;

    fn from_str(text: &str) -> Result<Self, OffsetRangesError> {
        let mut ranges = BTreeMap::new();
        let mut before: Option<u64> = None;
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let [first, last] =
                [first, last].map(|number| number.parse::<u64>().map_err(|_| OffsetRangesError));
            let (first, last) = (first?, last?);
            if last < first || before.is_some_and(|before| before.saturating_add(1) >= first) {
                return Err(OffsetRangesError);
            }
            ranges.insert(first, last);
            before = Some(last);
        }
        Ok(Self { ranges })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_a_set(offsets in prop::collection::vec(0u64..24, 0..32), before in 0u64..24) {
            let (mut ranges, mut set) = (OffsetRanges::default(), BTreeSet::new());
            for offset in offsets {
                prop_assert_eq!(ranges.insert(Offset(offset)), set.insert(offset));
            }
            ranges.forget_before(Offset(before));
            set.retain(|offset| *offset >= before);
            for offset in 0..26 {
                prop_assert_eq!(ranges.contains(Offset(offset)), set.contains(&offset), "{} in {}", offset, ranges);
            }
            prop_assert_eq!(ranges.to_string().parse(), Ok(ranges.clone()), "{}", ranges);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [",", "1,", "x", "1-", "5-3", "3-5,5", "3-5,6", "7,3", "-1", "1-2-3"] {
            assert_eq!(text.parse::<OffsetRanges>(), Err(OffsetRangesError), "{text:?}");
        }
    }
}
