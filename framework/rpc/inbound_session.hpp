#pragma once

#include <mailroom/framework/rpc/chunk_taker.hpp>
#include <mailroom/framework/rpc/credit_giver.hpp>
#include <mailroom/framework/rpc/data_server.hpp>
#include <mailroom/framework/rpc/given_up_calls.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace mailroom::rpc {

class activation;
class call_batch;

/// One peer's data link, from its attach message to its end. Loop thread only. Of data_server; not
/// installed.
class inbound_session final : public link_observer, private executors::timer {
 public:
  inbound_session(data_server& server, link& opened)
      : server_(server), link_(&opened), from_(make_ref<caller>(server.loop_, server.limits_)) {
    server_.loop_.arm(*this, attach_by_);
  }
  ~inbound_session() {
    if (attached_) {
      session_links_->fetch_sub(1, std::memory_order_relaxed);
    }
    server_.loop_.cancel(*this);
    from_->close();
    server_.loop_.forget(review_);
  }

  const session_id* session() const noexcept { return attached_ ? &session_ : nullptr; }
  std::size_t large_backlog() const noexcept { return from_->large_backlog(); }

  void cancel(std::span<const wire::cancel> calls);
  /// Nobody waits for its calls any more.
  void cancel_all();
  void close(bool flush) noexcept;

 private:
  static constexpr duration attach_within = std::chrono::seconds(2);

  // Answers are written while frames are read and batches walked, and timers fire under their lock:
  // where a link must not close. Both leave it to this.
  class review final : public executors::event_loop::source {
   public:
    explicit review(inbound_session& of) noexcept
        : source(executors::event_loop::phase::output), of_(of) {}
    void on_ready() noexcept override { of_.on_review(); }

   private:
    inbound_session& of_;
  };

  struct resolved {
    std::uint64_t generation = 0;
    dispatcher::found found;
    wire::route names;

    std::span<activation* const> endpoints() const noexcept {
      if (generation == 0) {
        return {};
      }
      return found.among != nullptr ? found.among->all()
                                    : std::span<activation* const>(&found.at, 1);
    }
  };

  void on_open(link&) noexcept override {}
  void on_writable(link&) noexcept override { from_->writer().on_writable(); }
  void on_closed(link&, const error&) noexcept override {
    link_ = nullptr;
    server_.gone(*this);
  }

  void on_time() noexcept override { server_.loop_.notify(review_); }

  void on_frame(link&, wire::frame received) noexcept override;
  void on_review() noexcept;

  // The link (inbound_session.cpp).
  result<void> read_all(wire::reader& messages, const wire::frame& whole);
  result<void> read_messages(wire::reader& messages,
                             const wire::frame& whole,
                             std::vector<std::unique_ptr<call_batch>>& batches);
  result<void> on_attach(const wire::message& received);
  result<void> on_route(const wire::message& received);
  void cut_off() noexcept;
  void reject(std::string_view why) noexcept;

  // A call (inbound_calls.cpp).
  result<void> on_call(const wire::message& received,
                       const wire::frame& whole,
                       std::uint32_t messages,
                       time_point now,
                       bool accepting,
                       std::vector<std::unique_ptr<call_batch>>& batches);
  // One whose payload has come before, in chunks. Nothing else may be in the batch that holds it.
  result<void> on_large_call(const wire::message& received,
                             const wire::frame& whole,
                             time_point now,
                             bool accepting,
                             std::vector<std::unique_ptr<call_batch>>& batches);
  bool is_duplicate(const wire::call_key& key, std::uint64_t id, ref<keyed_call>& first);
  result<void> refuse(std::uint64_t id, bool wants_answer, const error& why);
  deadline to_our_clock(std::int64_t theirs) const noexcept;
  call_batch& batch_for(activation& to,
                        const wire::frame& whole,
                        std::uint32_t messages,
                        std::vector<std::unique_ptr<call_batch>>& batches);
  static void post_all(std::vector<std::unique_ptr<call_batch>>& batches) noexcept;

  data_server& server_;
  link* link_;
  ref<caller> from_;
  review review_{*this};
  const time_point attach_by_ = server_.loop_.now() + attach_within;
  bool attached_ = false;
  session_id session_{};
  std::shared_ptr<session_table::clocks> clocks_;
  std::shared_ptr<std::atomic<std::size_t>> session_links_;
  std::vector<resolved> routes_;
  std::size_t route_bytes_ = 0;  // Of their names.
  early_cancels early_;
  std::uint64_t chained_ = 0;  // The call that `chain_` is of, which comes next.
  ref<call_chain> chain_;
  credit_giver credit_;
  chunk_taker taker_;
};

}  // namespace mailroom::rpc
