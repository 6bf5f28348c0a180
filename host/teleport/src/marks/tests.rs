use super::*;
use crate::metrics::Metrics;
use proptest::prelude::*;

fn marks() -> Arc<Marks<u64>> {
    Marks::new(Arc::new(Room::new(1000, Metrics::default())))
}

fn low(position: u64) -> Low<u64> {
    Low { position: Some(position), complete: false }
}

#[test]
fn the_mark_stays_before_a_gap() {
    let marks = marks();
    let [one, two, three] = [1, 2, 3].map(|position| marks.push(position));
    assert_eq!(marks.moved(), None);
    three.done();
    two.done();
    assert_eq!(marks.moved(), None);
    one.done();
    assert_eq!(marks.moved().unwrap(), low(3));
    assert_eq!(marks.moved(), None);
}

#[test]
fn what_is_skipped_moves_the_mark_in_its_turn() {
    let marks = marks();
    marks.skip(1);
    assert_eq!(marks.moved().unwrap(), low(1));
    let two = marks.push(2);
    (3..100_000).for_each(|position| marks.skip(position));
    assert_eq!((marks.moved(), marks.state().slots.len()), (None, 2));
    two.done();
    assert_eq!(marks.moved().unwrap(), low(99_999));
}

#[test]
fn what_is_done_behind_a_gap_takes_no_memory() {
    let marks = marks();
    let gap = marks.push(0);
    for position in 1..100_000 {
        marks.push(position).done();
        assert!(marks.state().slots.len() <= 2);
    }
    // Out of order, too: of an island that is done only its end is kept.
    let mut out: Vec<_> = (100_000..100_100).map(|position| Some(marks.push(position))).collect();
    for step in [2, 1] {
        out.iter_mut().step_by(step).filter_map(Option::take).for_each(Done::done);
    }
    assert_eq!((marks.moved(), marks.state().slots.len()), (None, 2));
    gap.done();
    assert_eq!((marks.moved().unwrap(), marks.state().slots.len()), (low(100_099), 0));
}

#[test]
fn a_stream_is_complete_when_all_of_it_is_done() {
    let marks = marks();
    let one = marks.push(1);
    marks.end();
    assert_eq!(marks.moved(), Some(Low { position: None, complete: false }));
    one.done();
    assert_eq!(marks.moved(), Some(Low { position: Some(1), complete: true }));
}

#[test]
fn a_dropped_event_holds_the_mark_and_its_place() {
    let marks = marks();
    let (one, two) = (marks.push(1), marks.push(2));
    drop(one);
    two.done();
    assert_eq!((marks.moved(), marks.room.metrics.dropped.get()), (None, 1));
    assert_eq!(marks.room.permits.available_permits(), 1001); // of two, taken by nobody
}

proptest! {
    /// Whatever the order: the mark is before the first that is not done, and after all before it.
    #[test]
    fn the_mark_is_where_a_simple_count_says(order in Just((0..40_u64).collect::<Vec<_>>()).prop_shuffle()) {
        let marks = marks();
        let mut waiting: Vec<_> = (0..40).map(|position| Some(marks.push(position))).collect();
        for next in order {
            waiting[usize::try_from(next).unwrap()].take().unwrap().done();
            let first = waiting.iter().position(Option::is_some).unwrap_or(40) as u64;
            prop_assert_eq!(marks.state().low, first.checked_sub(1));
            let out = waiting.iter().flatten().count();
            prop_assert!(marks.state().slots.len() <= 2 * out);
        }
    }
}
