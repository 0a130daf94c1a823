"""Running the platform on Dapr, on one machine and on more: programs and files, no part of the package."""
