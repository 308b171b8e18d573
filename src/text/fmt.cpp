// The code of the formatting library, compiled once: what its own src/format.cc does, which Debian ships only in a
// shared library. Everybody else includes <fmt/core.h>, which takes a third of the time of <fmt/format.h>.

// A fixed one keeps <locale> out of the program: it costs 0.1-0.3 ms at each start.
#define FMT_STATIC_THOUSANDS_SEPARATOR ','
#include <fmt/format-inl.h>

// These two are templates that the header says are compiled elsewhere: here.
template FMT_API auto fmt::detail::thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template FMT_API auto fmt::detail::decimal_point_impl(locale_ref) -> char;
