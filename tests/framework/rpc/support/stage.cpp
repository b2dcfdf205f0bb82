#include <mailroom/tests/framework/rpc/support/stage.hpp>

#include <boost/test/unit_test.hpp>

#include <utility>

namespace mailroom::tests {

stage::stage(std::shared_ptr<const rpc::endpoint_definition> what, rpc::caller::limits bounds)
    : loop_("mr-stage", platform::system()),
      connector_(loop_, platform::system(), {}),
      caller_(make_ref<rpc::caller>(loop_, bounds)) {
  current_ = this;
  runner_.time = clock::now();
  caller_->open(link_, "tester");  // Before the loop's thread exists.
  loop_.start();
  activation.emplace(std::move(what), "stage", connector_, runner_);
}

stage::~stage() {
  if (activation) {
    activation->end();
    run();
    BOOST_TEST(activation->quiet());
  }
  loop_.stop();
  caller_->close();
  activation.reset();
}

void stage::arrive() {
  wire::frame whole(std::exchange(bytes_, wire::buffer{}));
  auto* batch = new rpc::call_batch(*activation, caller_, whole);
  for (const auto& each : std::exchange(coming_, {})) {
    batch->add({each.id,
                each.until,
                each.what,
                whole.bytes().subspan(each.from, each.size),
                each.wants_answer,
                each.priority});
  }
  activation->deliver(*batch);
}

void stage::hang_up() {
  const auto done = std::make_shared<tally>();
  loop_.post([this, done] {
    caller_->close();
    done->add();
  });
  BOOST_REQUIRE(done->reaches(1));
}

void stage::run() {
  if (!coming_.empty()) {
    arrive();
  }
  while (std::exchange(runner_.wants_turn, false)) {
    while (activation->turn()) {
    }
  }
}

void stage::pass(duration time) {
  runner_.time += time;
  runner_.timers.fire(runner_.time);
  run();
}

void stage::collect() {
  // What was handed over before this is written by the time that a task posted now has run, and
  // flushed a pass later.
  for (int pass = 0; pass < 2; ++pass) {
    const auto done = std::make_shared<tally>();
    loop_.post([done] { done->add(); });
    BOOST_REQUIRE(done->reaches(1));
  }
  for (const auto& each : link_.taken()) {
    auto messages = wire::reader::open(each.bytes(), wire::plane::data);
    BOOST_REQUIRE(messages);
    wire::message message;
    while (messages->next(message).value()) {
      if (message.what == wire::kind::reply) {
        std::uint64_t id = 0;
        BOOST_REQUIRE(wire::id_head::read(message.head, id));
        auto& into = answers_[id];
        ++into.count;
        into.body.assign(message.payload.begin(), message.payload.end());
      } else {
        auto failed = wire::read_failure(message);
        BOOST_REQUIRE(failed);
        auto& into = answers_[failed->id];
        ++into.count;
        into.failure = failed->why;
      }
    }
  }
}

answer stage::of(std::uint64_t id) {
  collect();
  const auto found = answers_.find(id);
  return found == answers_.end() ? answer{} : found->second;
}

std::size_t stage::answers() {
  collect();
  return answers_.size();
}

}  // namespace mailroom::tests
