#pragma once

#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/directory/departed_nodes.hpp>
#include <mailroom/framework/directory/lease_table.hpp>
#include <mailroom/framework/directory/watch_list.hpp>
#include <mailroom/framework/rpc/control_server.hpp>
#include <mailroom/framework/rpc/loop_alarm.hpp>

namespace mailroom::directory {

/// The embedded directory: verbs on the control address of a node, which with them is one. Lives on
/// the control thread, and before its control server goes.
class server {
 public:
  server(rpc::control_server& on,
         executors::event_loop& loop,
         platform& host,
         const lease_table::options& with);

 private:
  result<wire::buffer> enter(std::span<const std::byte> arguments, std::string_view peer_host);
  result<wire::buffer> renew(std::span<const std::byte> arguments);
  result<wire::buffer> leave(std::span<const std::byte> arguments);
  void watch(std::span<const std::byte> arguments, const rpc::control_server::answer& tell);
  result<wire::buffer> list() const;
  result<wire::buffer> departed() const;
  /// Something may have happened.
  void look();

  platform& host_;
  const lease_table::options options_;
  lease_table table_;
  departed_nodes departed_;
  watch_list watches_;
  std::uint64_t watch_bytes_ = 0;
  rpc::loop_alarm alarm_;
};

}  // namespace mailroom::directory
