#pragma once

#include <mailroom/tests/conformance/stage.hpp>

namespace mailroom::tests {

#define MAILROOM_CASE(name) void name(const combination& of);
#include <mailroom/tests/conformance/cases.def>
#undef MAILROOM_CASE

}  // namespace mailroom::tests
