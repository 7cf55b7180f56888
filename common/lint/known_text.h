// Texts that bodies of functions put together from constants. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_KNOWN_TEXT_H_
#define CURLEW_COMMON_LINT_KNOWN_TEXT_H_

#include <map>
#include <string>

#include "pg_query.pb.h"

namespace curlew::lint {

// The text that an expression gives: of constants, of variables whose text is known (by name, fields of
// records as "record.field"), of ||, concat(), format(), quote_ident() and quote_literal() over such. False
// where it is not known.
bool KnownText(const pg_query::Node& expression, const std::map<std::string, std::string>& variables,
               std::string* text);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_KNOWN_TEXT_H_
