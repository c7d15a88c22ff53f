"""A process takes the descriptors that it may have."""

import resource

from fleet_chassis.descriptors import ENOUGH, take_descriptors

FEW = 256


def test_a_process_that_begins_with_few_descriptors_takes_as_many_as_it_may():
    before = soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FEW, soft), hard))
    try:
        taken = take_descriptors()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (taken, hard)
        assert taken == (ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_one_that_has_enough_keeps_what_it_has():
    first = take_descriptors()
    assert take_descriptors() == first
