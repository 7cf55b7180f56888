// `curlew-controller store backup|restore|check|migrate`: care of a store, without serving.
#ifndef CURLEW_CONTROLLER_STORE_COMMAND_H_
#define CURLEW_CONTROLLER_STORE_COMMAND_H_

#include <CLI/CLI.hpp>
#include <functional>

namespace curlew::controller {

// Adds the command `store` with its verbs to `app`. Once `app` has parsed a command line, `*verb` is what it
// asks for where it names one of them, and empty else. `verb` must live until then. In main:
//
//   std::function<int()> verb;
//   AddStoreCommand(&app, &verb);
//   try {
//     app.parse(argc, argv);
//   } catch (const CLI::ParseError& error) {
//     return app.exit(error) == 0 ? 0 : 2;  // CLI11's own codes are others
//   }
//   if (verb) return verb();
//   return Serve(...);
//
// A verb prints what it did to standard output and what failed to standard error, and returns the exit code:
// 0, or 1 where it failed, or 2 where an argument makes no sense (a URL of another scheme).
void AddStoreCommand(CLI::App* app, std::function<int()>* verb);

}  // namespace curlew::controller

#endif  // CURLEW_CONTROLLER_STORE_COMMAND_H_
