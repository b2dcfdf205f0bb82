#pragma once

#include <mailroom/services/host/mailroom.hpp>

#include <memory>
#include <string>
#include <vector>

namespace mailroom::tests {

/// Serves a topic whose methods tell the node's name and count.
void serve_name(node& at, const std::string& topic);

/// A node that is a directory, at an address of the system's choice or at this one.
std::unique_ptr<node> start_directory(const std::string& listen = "tcp://127.0.0.1:0");

/// Nodes that find each other in an embedded directory. Heartbeats are short, so that tests are.
class embedded_deployment {
 public:
  embedded_deployment() { directories.push_back(start_directory()); }

  /// Servers register; nobody has to know them beforehand.
  void expects(const std::string&, const std::vector<std::string>&) {}
  std::unique_ptr<node> serve(const std::string& name,
                              const std::vector<std::string>& topics,
                              const std::string& listen = "tcp://127.0.0.1:0") const;
  node_options caller() const;
  std::vector<std::string> addresses() const;  ///< Of those that run.

  std::vector<std::unique_ptr<node>> directories;
};

/// Nodes that are told of each other beforehand.
class static_deployment {
 public:
  static_deployment();
  ~static_deployment();
  static_deployment(const static_deployment&) = delete;
  static_deployment& operator=(const static_deployment&) = delete;

  void expects(const std::string& topic, const std::vector<std::string>& names);
  std::unique_ptr<node> serve(const std::string& name,
                              const std::vector<std::string>& topics,
                              const std::string& listen = {}) const;
  node_options caller() const;

 private:
  std::string address_of(const std::string& name) const;

  std::string folder_;
  std::vector<static_server> servers_;
};

}  // namespace mailroom::tests
