#pragma once

#include <mailroom/framework/rpc/control_server.hpp>
#include <mailroom/framework/rpc/link_writer.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom::rpc {

/// One peer's control link, from its hello to its end. Control loop's thread only. Of
/// control_server; not installed.
class control_server::session final : public link_observer {
 public:
  session(control_server& server, link& opened)
      : server_(server),
        link_(&opened),
        writer_(server.loop_, wire::plane::control),
        heard_(server.host_.now()) {
    writer_.open(opened);
  }
  ~session() { *here_ = nullptr; }

  void on_open(link&) noexcept override {}
  void on_writable(link&) noexcept override { writer_.on_writable(); }
  void on_closed(link&, const error&) noexcept override {
    link_ = nullptr;
    server_.gone(*this);
  }

  void on_frame(link&, wire::frame received) noexcept override;

  void tell_topics();
  void tell_stuck();
  /// False if it is not there yet, or no more, to be told.
  bool tell_go_away(const wire::goaway& what);

  void close(bool polite) noexcept;
  /// The same, and the session goes with all its calls. Nothing of it may be touched afterwards.
  void end(bool polite) noexcept;

  time_point heard() const noexcept { return heard_; }
  bool greeted() const noexcept { return greeted_; }
  bool finished() const noexcept { return finished_; }
  const session_id& id() const noexcept { return id_; }
  const std::string& node() const noexcept { return node_; }
  const std::vector<wire::loop_state>& loops() const noexcept { return loops_; }
  std::string_view peer_address() const noexcept { return link_->peer_address(); }
  std::string_view log_group() const noexcept { return link_->log_group(); }

 private:
  result<void> read(const wire::frame& received);
  result<void> on_message(const wire::message& each);
  result<void> on_hello(const wire::message& received);
  result<void> on_ping(const wire::message& received);
  result<void> on_cancel(const wire::message& received);
  result<void> on_admin(const wire::message& received);
  void answer_admin(std::uint64_t id, const result<wire::buffer>& done);
  void refuse(errc code, std::string_view why);

  control_server& server_;
  // For answers that come later: null when this is gone.
  const std::shared_ptr<session*> here_ = std::make_shared<session*>(this);
  link* link_;
  link_writer writer_;
  time_point heard_;
  bool greeted_ = false;
  bool finished_ = false;
  session_id id_{};
  std::vector<wire::cancel> cancels_;  // In the frame that is being read.
  std::string node_;
  std::vector<wire::loop_state> loops_;  // The peer's.
  std::shared_ptr<session_table::clocks> clocks_;
};

}  // namespace mailroom::rpc
