// One form for what SQL can say in several ways. Of this folder alone.
#ifndef CURLEW_COMMON_SQL_SIMPLIFY_H_
#define CURLEW_COMMON_SQL_SIMPLIFY_H_

#include "google/protobuf/message.h"

namespace curlew::sql {

// Brings a parse tree to the form that SameSql (normal_form.h) compares, without places in the text. Casts
// stay. The tree is no SQL any more: a type is one name, its modifiers in it.
void Simplify(google::protobuf::Message* tree);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_SIMPLIFY_H_
