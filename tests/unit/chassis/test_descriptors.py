"""A process takes the descriptors that it may have."""

import errno
import os
import resource

from fleet_chassis.descriptors import ENOUGH, came_of_starving, none_left, take_descriptors

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


def test_a_process_knows_whether_it_can_open_anything_more():
    before = _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    assert not none_left()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        assert none_left()
        assert came_of_starving(OSError("the name is not known")), "a look-up that failed now failed for it"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert not none_left()


def test_an_error_came_of_starving_if_anything_behind_it_did():
    lost = RuntimeError("lost")
    lost.__cause__ = OSError(errno.EMFILE, "Too many open files")
    assert came_of_starving(lost)
    assert not came_of_starving(OSError(errno.ECONNREFUSED, "refused"))
