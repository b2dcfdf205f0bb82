#include <mailroom/framework/rpc/caller.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace mailroom::rpc {

struct caller::part {
  ref<caller> to;
  wire::batch answers;
  part* next;
};

/// Answers written by one thread that is not the loop's, kept together until the end of its turn.
class outbox {
 public:
  wire::batch& batch_for(caller& to) {
    for (std::size_t i = open_.size(); i > 0; --i) {
      if (open_[i - 1].to.get() == &to) {
        return open_[i - 1].answers;
      }
    }
    return open_.emplace_back(entry{ref<caller>(&to), wire::batch(wire::plane::data)}).answers;
  }

  void written(caller& to) noexcept {
    if (!in_turn_ || link_writer::is_full(batch_for(to))) {
      hand_over();
    }
  }

  void begin_turn() noexcept { in_turn_ = true; }
  void end_turn() noexcept {
    in_turn_ = false;
    if (!open_.empty()) {
      hand_over();
    }
  }

 private:
  struct entry {
    ref<caller> to;
    wire::batch answers;
  };

  void hand_over() noexcept {
    for (auto& each : open_) {
      each.to->hand_over(std::move(each.answers));
    }
    open_.clear();
  }

  std::vector<entry> open_;
  bool in_turn_ = false;
};

namespace {

outbox& this_thread() noexcept {
  thread_local outbox mine;
  return mine;
}

}  // namespace

caller::caller(executors::event_loop& loop, const limits& bounds)
    : source(executors::event_loop::phase::input),
      loop_(loop),
      limits_(bounds),
      writer_(loop, wire::plane::data) {}

caller::~caller() {
  loop_.forget(*this);
}

wire::batch& caller::answers() {
  return loop_.on_loop_thread() ? writer_.pending() : this_thread().batch_for(*this);
}

void caller::written() {
  if (loop_.on_loop_thread()) {
    if (in_flight_ > 0) {
      --in_flight_;
    }
    written_here();
  } else {
    this_thread().written(*this);
  }
}

void caller::begin_of_turn() noexcept {
  this_thread().begin_turn();
}
void caller::end_of_turn() noexcept {
  this_thread().end_turn();
}

void caller::hand_over(wire::batch&& written) noexcept {
  auto* more = new part{ref<caller>(this), std::move(written), nullptr};
  more->next = parts_.load(std::memory_order_relaxed);
  while (!parts_.compare_exchange_weak(more->next, more, std::memory_order_release)) {
  }
  loop_.notify(*this);
}

void caller::on_ready() noexcept {
  part* newest = parts_.exchange(nullptr, std::memory_order_acquire);
  part* oldest = nullptr;
  while (newest != nullptr) {
    part* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  // The parts' references keep this alive while it is used; the last one goes last.
  ref<caller> self(this);
  while (oldest != nullptr) {
    part* next = oldest->next;
    if (!has_gone()) {
      in_flight_ -= std::min(in_flight_, oldest->answers.count());
      writer_.append(std::move(oldest->answers));
      written_here();
    }
    delete oldest;
    oldest = next;
  }
}

void caller::write_in_chunks(wire::batch& batch, std::uint64_t id, deadline until) {
  auto large = chunk_sender::take_out_of(batch, id, until);
  if (loop_.on_loop_thread()) {
    send_large(std::move(large));
    return;
  }
  auto kept = std::make_shared<chunk_sender::large_body>(std::move(large));
  loop_.post([self = ref<caller>(this), kept] { self->send_large(std::move(*kept)); });
}

void caller::send_large(chunk_sender::large_body what) {
  if (closed_) {
    return;
  }
  in_flight_ -= in_flight_ > 0 ? 1U : 0U;
  chunks_->send(std::move(what), loop_.now());
  if (after_answers_ != nullptr) {
    loop_.ready(*after_answers_);
  }
}

void caller::written_here() noexcept {
  writer_.written();
  if (after_answers_ != nullptr) {
    loop_.ready(*after_answers_);
  }
}

void caller::open(link& to, std::string name, executors::event_loop::source* after_answers) {
  name_ = std::move(name);
  after_answers_ = after_answers;
  writer_.open(to);
}

void caller::close() noexcept {
  closed_.store(true, std::memory_order_relaxed);
  after_answers_ = nullptr;
  writer_.close();
  if (chunks_ != nullptr) {
    chunks_->close();
  }
}

void caller::dispose(caller* last) noexcept {
  // It sits in lists of the loop, which only the loop's thread may touch. A task that never runs is
  // destroyed when the loop has no thread any more.
  if (last->loop_.on_loop_thread()) {
    delete last;
    return;
  }
  struct deleter {
    void operator()(caller* each) const noexcept { delete each; }
  };
  std::shared_ptr<caller> owned(last, deleter{});
  executors::event_loop& loop = last->loop_;
  loop.post([kept = std::move(owned)] {});
}

}  // namespace mailroom::rpc
