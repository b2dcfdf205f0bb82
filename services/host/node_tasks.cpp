// What a node does for people and programs beside serving: detached tasks, questions to other
// nodes.

#include <mailroom/services/host/node_impl.hpp>

#include <mailroom/framework/rpc/method.hpp>

#include <future>
#include <utility>

namespace mailroom {
namespace {

// Starts a detached task on its first turn.
class task_start final : public async::work {
 public:
  task_start(rpc::activation& at,
             std::string name,
             std::function<task<void>(context&)> body,
             std::shared_ptr<std::atomic<bool>> ended)
      : at_(at),
        name_(std::move(name)),
        body_(std::move(body)),
        ended_(std::move(ended)),
        ctx_(at, name_) {}

  std::future<void> outcome() { return outcome_.get_future(); }

  void run() noexcept override {
    if (!at_.is_open()) {
      dropped();  // What begins now would be waited for by nobody, and cancelled by nobody.
      return;
    }
    const async::flow_scope scope(&ctx_.flow());
    drive(std::unique_ptr<task_start>(this));
  }
  void dropped() noexcept override {
    outcome_.set_exception(std::make_exception_ptr(
        call_error(error(errc::cancelled, "the node stopped before the task began"))));
    ended_->store(true);
    delete this;
  }

 private:
  static async::detail::detached drive(std::unique_ptr<task_start> self) {
    rpc::activation& at = self->at_;
    at.flow_begins();
    try {
      co_await self->body_(self->ctx_);
      self->outcome_.set_value();
    } catch (const async::flow_cancelled&) {
      self->outcome_.set_exception(std::make_exception_ptr(
          call_error(error(errc::cancelled, "the node stopped before the task ended"))));
    } catch (...) {
      self->outcome_.set_exception(std::current_exception());
    }
    self->ended_->store(true);
    self.reset();
    at.flow_ends();
  }

  rpc::activation& at_;
  std::string name_;
  std::function<task<void>(context&)> body_;
  std::shared_ptr<std::atomic<bool>> ended_;
  context ctx_;
  std::promise<void> outcome_;
};

// Waits for an answer that comes on another thread, or for the deadline. The asked side may answer
// late: both share it.
template <class T>
class question {
 public:
  void tell(result<T> told) {
    if (!told_.exchange(true)) {
      answer_.set_value(std::move(told));
    }
  }
  result<T> wait(duration timeout, const std::string& what) {
    auto future = answer_.get_future();
    // Not `wait_for`, which takes the longest time there is for one that has passed.
    if (future.wait_until(later(clock::now(), timeout)) == std::future_status::timeout) {
      tell(error(errc::expired, what));
    }
    return future.get();
  }

 private:
  std::atomic<bool> told_{false};
  std::promise<result<T>> answer_;
};

}  // namespace

std::future<void> running_node::run(std::string name, std::function<task<void>(context&)> body) {
  const std::lock_guard lock(endpoints_mutex_);
  std::erase_if(detached_, [](const detached& each) {
    return each.ended->load() && each.actor->activation().running() == 0;
  });
  auto what = std::make_shared<rpc::endpoint_definition>();
  auto ended = std::make_shared<std::atomic<bool>>(false);
  auto actor = runtime_->spawn(what, name, *connector_, *usual_);
  auto* start = new task_start(actor->activation(), std::move(name), std::move(body), ended);
  auto outcome = start->outcome();
  rpc::activation& at = actor->activation();
  detached_.push_back({std::move(what), std::move(actor), std::move(ended)});
  at.post(*start);
  return outcome;
}

result<bytes> running_node::admin(const std::string& address,
                                  std::string verb,
                                  const bytes& argument,
                                  duration timeout) {
  auto asked = std::make_shared<question<bytes>>();
  control_loop_.post([this, address, verb, argument, asked] {
    const auto at = peers_.find(address);
    if (at == peers_.end()) {
      asked->tell(
          error(errc::unreachable, "'" + address + "' is not one of the addresses connected to"));
      return;
    }
    at->second->admin(
        verb, argument.view(), [asked](result<bytes> answer) { asked->tell(std::move(answer)); });
  });
  return asked->wait(timeout, address + " did not answer " + verb);
}

result<duration> running_node::ping(const std::string& address, duration timeout) {
  auto asked = std::make_shared<question<duration>>();
  control_loop_.post([this, address, asked] {
    const auto at = peers_.find(address);
    if (at == peers_.end()) {
      asked->tell(
          error(errc::unreachable, "'" + address + "' is not one of the addresses connected to"));
      return;
    }
    at->second->ping([asked](result<duration> answer) { asked->tell(std::move(answer)); });
  });
  return asked->wait(timeout, address + " did not answer a ping");
}

}  // namespace mailroom
