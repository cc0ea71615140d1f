//! Nodes are counted by thread: the sum is right whoever makes them and whoever drops them.

use pullback_base::{Dtype, Scalar};
use pullback_core::{Array, live_nodes};

const MANY: usize = 1000;

#[test]
fn nodes_of_other_threads_are_counted_once() {
    let many = || (0..MANY).map(|_| Array::scalar(Scalar::Float(1.), Dtype::F32)).collect::<Vec<_>>();
    let before = live_nodes();
    let made = std::thread::spawn(many).join().expect("no panic");
    // The thread has ended, and its count was taken over; once more would be once too often.
    assert_eq!([live_nodes() - before, live_nodes() - before], [MANY; 2]);
    let own = many();
    assert_eq!(live_nodes() - before, 2 * MANY);
    drop((made, own));
    assert_eq!(live_nodes(), before);
}
