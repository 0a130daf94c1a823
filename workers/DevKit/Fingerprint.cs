using System.Globalization;

namespace Virtufin.DevKit
{
    /// <summary>
    /// A short name for a text: the 64-bit hash FNV-1a (Fowler, Noll, Vo) and the length. It tells commands apart without keeping them,
    /// which would keep their secrets; it is no protection against forgery, and .NET's own hashes need OpenSSL.
    /// </summary>
    public static class Fingerprint
    {
        private const ulong OffsetBasis = 14695981039346656037UL;
        private const ulong Prime = 1099511628211UL;

        /// <summary>The fingerprint of a text in ASCII.</summary>
        /// <param name="text">The text.</param>
        public static string Of(string text)
        {
            ulong hash = OffsetBasis;
            foreach (char c in text)
            {
                hash = unchecked((hash ^ c) * Prime);
            }

            return hash.ToString("x16", CultureInfo.InvariantCulture) + "-" + text.Length.ToString(CultureInfo.InvariantCulture);
        }
    }
}
