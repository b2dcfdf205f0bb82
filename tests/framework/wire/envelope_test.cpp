#include <mailroom/framework/wire/body.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace mailroom::tests::envelope_test {
namespace {

using wire::batch;
using wire::kind;
using wire::plane;

void add_reply(batch& into, std::uint64_t id, int value) {
  wire::store(into.begin(kind::reply, wire::id_head::size), id);
  wire::pack(into.bytes(), value);
  into.finish();
}

// Ids of the replies in a frame; fails the test on anything else.
std::vector<std::uint64_t> ids(const wire::buffer& frame) {
  auto messages = wire::reader::open(frame.bytes(), plane::data);
  BOOST_TEST_REQUIRE(messages.has_value());
  std::vector<std::uint64_t> found;
  wire::message each;
  for (auto more = messages->next(each);; more = messages->next(each)) {
    BOOST_TEST_REQUIRE(more.has_value());
    if (!*more) {
      return found;
    }
    BOOST_TEST_REQUIRE((each.what == kind::reply));
    BOOST_TEST_REQUIRE(wire::id_head::read(each.head, found.emplace_back()));
  }
}

// The one message of a frame; the frame outlives it.
wire::message only(const wire::buffer& frame) {
  auto messages = wire::reader::open(frame.bytes(), plane::data);
  wire::message one;
  BOOST_TEST_REQUIRE((messages && messages->next(one).value_or(false)));
  return one;
}

const std::vector<std::uint64_t> one_two_three{1, 2, 3};

}  // namespace

BOOST_AUTO_TEST_SUITE(batch_of_messages)

BOOST_AUTO_TEST_CASE(keeps_their_order) {
  batch out(plane::data);
  BOOST_TEST(out.empty());
  add_reply(out, 1, 10);
  add_reply(out, 2, 20);
  add_reply(out, 3, 30);
  BOOST_TEST(out.count() == 3U);
  BOOST_TEST((ids(out.take()) == one_two_three));
  BOOST_TEST(out.empty());
  BOOST_TEST(out.size() == 0U);
}

BOOST_AUTO_TEST_CASE(can_be_filled_again_after_it_was_taken) {
  batch out(plane::data);
  add_reply(out, 9, 0);
  static_cast<void>(out.take());
  add_reply(out, 1, 0);
  BOOST_TEST((ids(out.take()) == std::vector<std::uint64_t>{1}));
}

BOOST_AUTO_TEST_CASE(takes_a_message_back) {
  batch out(plane::data);
  out.begin(kind::reply, wire::id_head::size);
  out.bytes().append("half", 4);
  out.drop();
  BOOST_TEST(out.empty());
  add_reply(out, 1, 0);
  out.begin(kind::reply, wire::id_head::size);
  out.drop();
  add_reply(out, 2, 0);
  add_reply(out, 3, 0);
  BOOST_TEST((ids(out.take()) == one_two_three));
}

BOOST_AUTO_TEST_CASE(takes_over_the_messages_of_another) {
  batch out(plane::data);
  batch none(plane::data);
  batch more(plane::data);
  add_reply(more, 1, 0);
  add_reply(more, 2, 0);
  out.append(none);
  BOOST_TEST(out.empty());
  out.append(more);
  add_reply(out, 3, 0);
  out.append(none);
  BOOST_TEST((ids(out.take()) == one_two_three));
}

BOOST_AUTO_TEST_CASE(knows_the_size_of_its_last_message) {
  batch out(plane::data);
  add_reply(out, 1, 0);
  BOOST_TEST(out.message_size() == wire::message_head_size + wire::id_head::size + 1);
  BOOST_TEST(out.size() == wire::frame_head_size + out.message_size());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(envelope)

BOOST_AUTO_TEST_CASE(tells_why_a_frame_is_garbage) {
  batch out(plane::data);
  add_reply(out, 1, 0);
  auto frame = out.take();
  const auto control = wire::reader::open(frame.bytes(), plane::control);
  BOOST_TEST_REQUIRE(!control.has_value());
  BOOST_TEST(control.error().message() == "not a control frame, but sent to a control address");
  frame.data()[2] = std::byte{9};
  BOOST_TEST(wire::reader::open(frame.bytes(), plane::data).error().message() ==
             "protocol version 9, this node speaks 1");
  frame.data()[0] = std::byte{'G'};
  BOOST_TEST(wire::reader::open(frame.bytes(), plane::data).error().message() ==
             "not a mailroom frame");
}

BOOST_AUTO_TEST_CASE(promises_no_more_messages_than_fit_into_the_frame) {
  batch out(plane::data);
  add_reply(out, 1, 0);
  auto frame = out.take();
  wire::store<std::uint32_t>(frame.data() + 4, 3);
  BOOST_TEST(!wire::reader::open(frame.bytes(), plane::data));
}

BOOST_AUTO_TEST_CASE(carries_the_fields_of_a_call) {
  batch out(plane::data);
  const wire::call_head sent{.id = 1ULL << 63U,
                             .deadline = -5,
                             .route = 70'000,
                             .attempt = 2,
                             .priority = 1,
                             .for_all = true};
  sent.write(out.begin(kind::call, wire::call_head::size));
  out.finish();
  const auto frame = out.take();
  wire::call_head received;
  BOOST_TEST(wire::call_head::read(only(frame).head, received));
  BOOST_TEST(received.id == sent.id);
  BOOST_TEST(received.deadline == sent.deadline);
  BOOST_TEST(received.route == sent.route);
  BOOST_TEST(received.attempt == sent.attempt);
  BOOST_TEST(received.priority == sent.priority);
  BOOST_TEST(received.for_all);
}

BOOST_AUTO_TEST_CASE(carries_an_error_with_all_that_it_says) {
  batch out(plane::data);
  const error sent = error(errc::busy, execution::not_run, "full", "queue_full")
                         .with_retry_after(std::chrono::milliseconds(250));
  wire::write_failure(out, 7, sent);
  const auto frame = out.take();
  const auto received = wire::read_failure(only(frame));
  BOOST_TEST_REQUIRE(received.has_value());
  BOOST_TEST(received->id == 7U);
  BOOST_TEST((received->why == errc::busy));
  BOOST_TEST((received->why.execution() == execution::not_run));
  BOOST_TEST(received->why.message() == "full");
  BOOST_TEST(received->why.type() == "queue_full");
  BOOST_TEST(received->why.retry_after().count() == 250);
}

// A failure that was larger than a frame may be ended the session, with all calls that were out.
BOOST_AUTO_TEST_CASE(leaves_out_what_a_failure_says_too_much) {
  batch out(plane::data);
  wire::write_failure(out,
                      7,
                      error(errc::handler_failed,
                            execution::ran_and_failed,
                            std::string(wire::max_failure_text + 5, 'x'),
                            std::string(wire::max_text, 't')));
  const auto frame = out.take();
  const auto received = wire::read_failure(only(frame));
  BOOST_TEST_REQUIRE(received.has_value());
  BOOST_TEST(received->why.message() ==
             std::string(wire::max_failure_text, 'x') + "... (5 bytes more)");
  BOOST_TEST(received->why.type() == std::string(wire::max_text, 't'));
}

BOOST_AUTO_TEST_CASE(keeps_the_pause_of_an_error_within_its_field) {
  for (const auto pause : {std::chrono::milliseconds(-1), std::chrono::milliseconds::max()}) {
    batch out(plane::data);
    wire::write_failure(out, 1, error(errc::busy).with_retry_after(pause));
    const auto frame = out.take();
    const auto received = wire::read_failure(only(frame));
    BOOST_TEST_REQUIRE(received.has_value());
    BOOST_TEST(received->why.retry_after().count() == (pause.count() < 0 ? 0 : 0xffffffffLL));
  }
}

BOOST_AUTO_TEST_CASE(reads_a_failure_that_says_ok_as_a_defect_of_the_peer) {
  batch out(plane::data);
  wire::write_failure(out, 1, error(errc::ok));
  const auto frame = out.take();
  BOOST_TEST((wire::read_failure(only(frame))->why == errc::protocol_error));
}

BOOST_AUTO_TEST_CASE(refuses_names_beyond_their_limit) {
  for (const std::size_t size : {wire::max_text, wire::max_text + 1}) {
    batch out(plane::data);
    wire::write_route(out, {1, "mailroom", std::string(size, 't'), "", "1.0", "m"});
    const auto frame = out.take();
    BOOST_TEST(wire::read_route(only(frame)).has_value() == (size == wire::max_text));
  }
}

BOOST_AUTO_TEST_CASE(refuses_route_numbers_beyond_their_limit) {
  for (const std::uint32_t number : {wire::max_routes - 1, wire::max_routes}) {
    batch out(plane::data);
    wire::write_route(out, {number, "mailroom", "t", "", "1.0", "m"});
    const auto frame = out.take();
    BOOST_TEST(wire::read_route(only(frame)).has_value() == (number < wire::max_routes));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::envelope_test
