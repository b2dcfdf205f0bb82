#pragma once

#include <chrono>
#include <string>

namespace mailroom::tests {

/// A server that has served, with a hundred peers connected: what it uses while nobody calls.
void check_idle(const std::string& executor, std::chrono::seconds window);

}  // namespace mailroom::tests
