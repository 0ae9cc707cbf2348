//! What we send to a vendor we understand when a client sends it.

use proptest::prelude::*;

use super::said::{request, vendors};

proptest! {
    #[test]
    fn a_request_to_a_vendor_is_read_as_it_was_meant(
        (vendor, request) in vendors().prop_flat_map(|vendor| (Just(vendor), request(vendor))),
    ) {
        let mut body = vendor.wire().encode(&request).unwrap().body;
        // What clients of that vendor do not write.
        body.as_object_mut().unwrap().remove("stream");
        body.as_object_mut().unwrap().remove("stream_options");
        prop_assert_eq!(vendor.read(&body), request, "{:?} {}", vendor, body);
    }
}
