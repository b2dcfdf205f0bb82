#pragma once

#include <mailroom/framework/base/error.hpp>

#include <string>

/// What the verbs of the `mailroom` command share. Exit codes: 0 with the result on stdout; 1 for a
/// failure at run time and 2 for wrong usage, each with one line on stderr.
namespace mailroom::cli {

/// "mailroom VERB: what" on stderr, in one line whatever `what` contains.
void complain(const std::string& verb, const std::string& what);

/// A failure at run time: complains and returns 1.
int failed(const std::string& verb, const error& why);
int failed(const std::string& verb, const std::string& why);

/// A node that did not start: a bad address is wrong usage, everything else a failure.
int not_started(const std::string& verb, const error& why);

/// A wrong command line: complains and returns 2.
int misused(const std::string& verb, const std::string& why);

}  // namespace mailroom::cli
