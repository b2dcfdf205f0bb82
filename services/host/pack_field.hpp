#pragma once

#include <mailroom/framework/wire/body.hpp>

#include <string_view>

namespace mailroom {

using packer = msgpack::packer<wire::buffer>;

/// One key of a map and its value.
template <class T>
void field(packer& out, std::string_view name, const T& value) {
  out.pack(name);
  out.pack(value);
}

}  // namespace mailroom
